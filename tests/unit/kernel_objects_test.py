"""Built-in kernels are leaf functions: an object file has no undefined symbol (no run time, no heap,
no libm, no threads), and is for the machine it says.

usage: kernel_objects_test.py MACHINE OBJECT...      MACHINE as readelf -h names it: X86-64, AArch64
"""

import subprocess
import sys


def main() -> int:
    machine, objects = sys.argv[1], sys.argv[2:]
    assert objects, "no objects given"
    failed = 0
    for path in objects:
        header = subprocess.run(["readelf", "-h", path], capture_output=True, text=True, check=True)
        undefined = subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True)
        names = undefined.stdout.split()[1::2]
        if machine not in header.stdout or names:
            failed += 1
            print(f"{path}: undefined symbols {names}, expected machine {machine}")
    print(f"{len(objects) - failed} of {len(objects)} {machine} objects are leaf functions")
    return failed > 0


sys.exit(main())
