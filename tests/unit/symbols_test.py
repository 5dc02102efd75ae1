"""What the libraries show to a linker: names of the project alone, and nothing of Halide's run time.

usage: symbols_test.py C_API_HEADER STATIC_LIBRARY SHARED_LIBRARY

The static library defines names in the namespace upconv and C names that begin with upconv_, besides
what every C++ object has copies of (inline functions and templates of the standard library, which are
weak). The shared library exports the functions that the header declares, exactly.
"""

import pathlib
import re
import subprocess
import sys

#: Copies of what others define, too: the standard library, types of functions.
SHARED_COPIES = re.compile(r"\b(std|__gnu_cxx)::|^DW\.ref\.|^typeinfo (name )?for [^:]*$")
OURS = re.compile(r"\bupconv::|^upconv_|\bupconv_layer\b")


def symbols(*arguments):
    """[(kind, name)] as nm prints them; weak and unique ones are of kind V, W or u."""
    text = subprocess.run(["nm", *arguments], capture_output=True, text=True, check=True).stdout
    found = (re.match(r"[0-9a-f ]* ([A-Za-z]) (.+)$", line) for line in text.splitlines())
    return [match.groups() for match in found if match]


def static_faults(library):
    for kind, name in symbols("-g", "-C", "--defined-only", library):
        if not OURS.search(name) and not (kind in "VWu" and SHARED_COPIES.search(name)):
            yield f"{library} defines {kind} {name}"
    for _, name in symbols("-u", library):
        if name.startswith("halide_"):
            yield f"{library} needs {name}"


def shared_faults(header, library):
    declared = set(re.findall(r"UPCONV_C_API[^;(]*?\b(upconv_\w+)\(", header.read_text()))
    exported = {name for kind, name in symbols("-D", "--defined-only", library) if kind != "A"}
    if not declared or exported != declared:
        yield (f"{library} exports {sorted(exported - declared)} beyond {header.name}, "
               f"and lacks {sorted(declared - exported)}")
    for _, name in symbols("-D", "-u", library):
        if name.startswith("halide_"):
            yield f"{library} needs {name}"


def main():
    header, static, shared = sys.argv[1:]
    faults = [*static_faults(static), *shared_faults(pathlib.Path(header), shared)]
    print("\n".join(faults) or "the libraries show names of the project alone")
    return bool(faults)


sys.exit(main())
