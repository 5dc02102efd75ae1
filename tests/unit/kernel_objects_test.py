"""Built-in kernels are leaf functions: an object file has no undefined symbol (no run time, no heap,
no libm, no threads), and is for the machine it says.

usage: kernel_objects_test.py MACHINE [--allow PREFIX] OBJECT...

MACHINE as readelf -h names it: X86-64, AArch64. Symbols that start with PREFIX may be undefined:
__asan_ for kernels that the address sanitizer watches.
"""

import argparse
import subprocess
import sys


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("machine")
    parser.add_argument("--allow", metavar="PREFIX")
    parser.add_argument("objects", nargs="+")
    arguments = parser.parse_args()
    failed = 0
    for path in arguments.objects:
        header = subprocess.run(["readelf", "-h", path], capture_output=True, text=True, check=True)
        undefined = subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True)
        names = undefined.stdout.split()[1::2]
        if arguments.allow:
            names = [name for name in names if not name.startswith(arguments.allow)]
        if arguments.machine not in header.stdout or names:
            failed += 1
            print(f"{path}: undefined symbols {names}, expected machine {arguments.machine}")
    count = len(arguments.objects)
    print(f"{count - failed} of {count} {arguments.machine} objects are leaf functions")
    return failed > 0


sys.exit(main())
