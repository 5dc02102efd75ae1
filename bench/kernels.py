#!/usr/bin/env python3
"""What the kernels of a build cost: seconds to generate, bytes, and their hot loops.

    kernels.py BUILD_FOLDER [--check]

`./dev bench --kernels` prints it. Every kernel is generated again, by the command that the build
used, and its processor time counts. With --check only the largest kernels and a sample of the
others are, and nothing but the totals is printed. The exit status is 1 where a limit is exceeded.
"""

import argparse
import json
import pathlib
import re
import resource
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "unit"))
from hot_loops_test import hot_loops, tile_rows  # noqa: E402

MOST_SECONDS = 30  # for one kernel
MOST_MINUTES = 5  # for all, on two cores
MOST_MEGABYTES = 3  # what the library with all instruction sets brings into a program, in float32
LARGEST, SAMPLE = 4, 16  # --check: so many, and one in so many


def generator_commands(build):
    """{kernel: arguments} of the build's own commands."""
    cache = (build / "CMakeCache.txt").read_text()
    ninja = re.search(r"^CMAKE_MAKE_PROGRAM:\w+=(.*)$", cache, re.MULTILINE)[1]
    listing = subprocess.run([ninja, "-C", build, "-t", "commands", "upconv", "upconv_foreign_kernels"],
                             capture_output=True, text=True, check=True)
    found = {}
    for line in listing.stdout.splitlines():
        if match := re.search(r"\S*upconv_generators -g [^&]*", line):
            words = shlex.split(match[0])
            found[words[words.index("-n") + 1]] = words  # the name of its files
    return found


def generation_seconds(words):
    """Processor time of one run of the generator."""
    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    with tempfile.TemporaryDirectory() as folder:
        words = list(words)
        words[words.index("-o") + 1] = folder
        before = used()
        subprocess.run(words, check=True)
        return used() - before


def library_megabytes(build):
    """What is loaded of it and its file, whole and without the kernels in float64 (single)."""
    library = build / "runtime" / "libupconv.a"
    listing = subprocess.run(["size", library], capture_output=True, text=True, check=True)
    members = [line.split() for line in listing.stdout.splitlines()[1:]]
    sizes = {m[5]: int(m[3]) for m in members}
    single = sum(size for name, size in sizes.items() if "_float64_" not in name)
    listing = subprocess.run(["ar", "tv", library], capture_output=True, text=True, check=True)
    double = sum(int(line.split()[2]) for line in listing.stdout.splitlines() if "_float64_" in line)
    file = library.stat().st_size
    return {"whole": sum(sizes.values()) / 1e6, "single": single / 1e6,
            "file": file / 1e6, "single_file": (file - double) / 1e6}


def print_kernels(folder, seconds):
    """A line for each kernel."""
    rows = tile_rows(json.loads((ROOT / "schedules" / "kernels.json").read_text()))
    print("| kernel | s | bytes | multiply-adds | instructions | stack traffic |")
    print("| --- |" + " ---: |" * 5)
    for function, taken in sorted(seconds.items()):
        name = function.removeprefix("upconv_")
        path = folder / f"{function}.o"
        cells = [f"`{name}`", f"{taken:.2f}", str(path.stat().st_size)]
        if name in rows:
            loops = hot_loops(path.with_suffix(".s"), rows[name][0])
            loop = max(loops, key=lambda v: v.stack)
            cells += [str(loop.multiply_adds), str(loop.instructions), str(loop.stack)]
        print("| " + " | ".join(cells + ["-"] * (6 - len(cells))) + " |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="only the totals, of a sample")
    options = parser.parse_args()
    folder = options.build / "runtime" / "kernels"
    commands = generator_commands(options.build)
    names = sorted(commands, key=lambda name: -(folder / f"{name}.o").stat().st_size)
    largest = {name: generation_seconds(commands[name]) for name in names[:LARGEST]}
    others = names[LARGEST :: SAMPLE if options.check else 1]
    seconds = {name: generation_seconds(commands[name]) for name in others}
    total = sum(largest.values()) + sum(seconds.values()) / len(others) * (len(names) - LARGEST)
    seconds.update(largest)
    if not options.check:
        print_kernels(folder, seconds)

    slowest = max(seconds.values())
    size = library_megabytes(options.build)
    print(f"{len(names)} kernels; the slowest takes {slowest:.1f} s (at most {MOST_SECONDS}), all "
          f"{total / 2 / 60:.1f} min on two cores (at most {MOST_MINUTES})")
    print(f"library: {size['single']:.2f} MB of code and data without float64 (at most "
          f"{MOST_MEGABYTES}), {size['whole']:.2f} with it; libupconv.a has "
          f"{size['single_file']:.2f} and {size['file']:.2f} MB")
    return slowest > MOST_SECONDS or total / 2 / 60 > MOST_MINUTES or size["single"] > MOST_MEGABYTES


if __name__ == "__main__":
    sys.exit(main())
