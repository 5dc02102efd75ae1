"""What the libraries show to a linker: names of the project alone, and nothing of Halide's run time.

usage: symbols_test.py HEADERS STATIC_LIBRARY SHARED_LIBRARY [--write]

The static library defines names in the namespace of its version, and C names that begin with
upconv_, besides what every C++ object has copies of (inline functions and templates of the standard
library, which are weak). The shared library exports the functions that c_api.h declares, exactly,
with the version. And c_api.h declares what c_api.abi lists: a function, a member or a value that
goes, changes or moves breaks programs that exist. --write writes that list anew, after a change that
breaks none, or with another version.
"""

import pathlib
import re
import subprocess
import sys

#: Copies of what others define, too: the standard library, types of functions.
SHARED_COPIES = re.compile(r"\b(std|__gnu_cxx)::|^DW\.ref\.|^typeinfo (name )?for [^:]*$")
C_NAMES = re.compile(r"^upconv_|\bupconv_layer\b")
ABI = pathlib.Path(__file__).with_name("c_api.abi")


def symbols(*arguments):
    """[(kind, name)] as nm prints them; weak and unique ones are of kind V, W or u."""
    text = subprocess.run(["nm", *arguments], capture_output=True, text=True, check=True).stdout
    found = (re.match(r"[0-9a-f ]* ([A-Za-z]) (.+)$", line) for line in text.splitlines())
    return [match.groups() for match in found if match]


def static_faults(library, namespace):
    for kind, name in symbols("-g", "-C", "--defined-only", library):
        versioned = f"upconv::{namespace}::" in name
        copied = kind in "VWu" and SHARED_COPIES.search(name)
        if re.search(rf"\bupconv::(?!{namespace}::)", name):
            yield f"{library} defines {kind} {name}, which is outside of upconv::{namespace}"
        elif not (versioned or copied or C_NAMES.search(name)):
            yield f"{library} defines {kind} {name}"
    for _, name in symbols("-u", library):
        if name.startswith("halide_"):
            yield f"{library} needs {name}"


def shared_faults(header, library, version):
    declared = {f"{name}@@{version}"
                for name in re.findall(r"UPCONV_C_API[^;(]*?\b(upconv_\w+)\(", header.read_text())}
    exported = {name for kind, name in symbols("-D", "--defined-only", library) if kind != "A"}
    if not declared or exported != declared:
        yield (f"{library} exports {sorted(exported - declared)} beyond {header.name}, "
               f"and lacks {sorted(declared - exported)}")
    for _, name in symbols("-D", "-u", library):
        if name.startswith("halide_"):
            yield f"{library} needs {name}"


def declarations(header):
    """What a C header declares, a line each, without comments, macros and layout."""
    text = re.sub(r"/\*.*?\*/|^#.*?$", "", header.read_text(), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r'extern "C" \{(.*)\}', r"\1", " ".join(text.split()), flags=re.DOTALL)
    return [part.strip() + ";" for part in re.split(r";(?![^{]*\})", text) if part.strip()]


def abi_faults(header):
    now, listed = declarations(header), ABI.read_text().splitlines()
    for line in [line for line in listed if line not in now]:
        yield f"{header.name} has no longer what {ABI.name} lists: {line}"
    for line in [line for line in now if line not in listed]:
        yield f"{ABI.name} does not list what {header.name} has: {line}"


def main():
    folder, static, shared = (pathlib.Path(text) for text in sys.argv[1:4])
    header = folder / "c_api.h"
    if sys.argv[4:] == ["--write"]:
        ABI.write_text("\n".join(declarations(header)) + "\n")
    namespace = re.search(r"define UPCONV_ABI inline (\w+)", (folder / "version.h").read_text())[1]
    version = "UPCONV_" + namespace.removeprefix("v").replace("_", ".")
    faults = [*static_faults(static, namespace), *shared_faults(header, shared, version),
              *abi_faults(header)]
    print("\n".join(faults) or "the libraries show names of the project alone")
    return bool(faults)


sys.exit(main())
