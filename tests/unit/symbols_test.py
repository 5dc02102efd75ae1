"""What the libraries show to a linker: names of the project alone, and nothing of Halide's run time.

usage: symbols_test.py HEADERS STATIC_LIBRARY SHARED_LIBRARY [--write]

The static library defines names in the namespace of its version, C names that begin with that version
(upconv_v0_1_: generated functions), so that two versions can be in one program, and the functions of
c_api.h; besides what every C++ object has copies of (inline functions and templates of the standard
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
ABI = pathlib.Path(__file__).with_name("c_api.abi")


def symbols(*arguments):
    """[(kind, name)] as nm prints them; weak and unique ones are of kind V, W or u."""
    text = subprocess.run(["nm", *arguments], capture_output=True, text=True, check=True).stdout
    found = (re.match(r"[0-9a-f ]* ([A-Za-z]) (.+)$", line) for line in text.splitlines())
    return [match.groups() for match in found if match]


def declared(header):
    """The functions of a C header."""
    return set(re.findall(r"UPCONV_C_API[^;(]*?\b(upconv_\w+)\(", header.read_text()))


def static_faults(library, namespace, header):
    c_api = declared(header)
    generated = 0
    for kind, name in symbols("-g", "-C", "--defined-only", library):
        versioned = f"upconv::{namespace}::" in name
        copied = kind in "VWu" and SHARED_COPIES.search(name)
        c_name = name in c_api or re.search(r"\bupconv_layer\b", name)
        if name.startswith(f"upconv_{namespace}_"):
            generated += 1
            c_name = True
        if re.search(rf"\bupconv::(?!{namespace}::)", name):
            yield f"{library} defines {kind} {name}, which is outside of upconv::{namespace}"
        elif not (versioned or copied or c_name):
            yield f"{library} defines {kind} {name}"
    if generated == 0:
        yield f"{library} has no generated function whose name begins with upconv_{namespace}_"
    for _, name in symbols("-u", library):
        if name.startswith("halide_"):
            yield f"{library} needs {name}"


def shared_faults(header, library, version):
    wanted = {f"{name}@@{version}" for name in declared(header)}
    exported = {name for kind, name in symbols("-D", "--defined-only", library) if kind != "A"}
    if not wanted or exported != wanted:
        yield (f"{library} exports {sorted(exported - wanted)} beyond {header.name}, "
               f"and lacks {sorted(wanted - exported)}")
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
    faults = [*static_faults(static, namespace, header), *shared_faults(header, shared, version),
              *abi_faults(header)]
    print("\n".join(faults) or "the libraries show names of the project alone")
    return bool(faults)


sys.exit(main())
