#!/usr/bin/env python3
"""What the kernels of a build cost: seconds to generate, bytes, and their hot loops.

    kernels.py BUILD_FOLDER [--check]

`./dev bench --kernels` prints it. Seconds are those of the build that made a kernel, as Ninja logged
them; what else ran at the same time is in them. With --check only the totals are printed. The exit
status is 1 where a limit below is exceeded.
"""

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "unit"))
from hot_loops_test import hot_loops, tile_rows  # noqa: E402

MOST_SECONDS = 30  # for one kernel
MOST_MINUTES = 5  # for all, on two cores
MOST_MEGABYTES = 3  # the library with all instruction sets, in float32


def generation_seconds(build):
    """{file name of an object: seconds}, of the kernels that the last builds made."""
    seconds = {}
    for line in (build / ".ninja_log").read_text().splitlines()[1:]:
        start, end, _, output, _ = line.split("\t")
        path = pathlib.Path(output)
        if path.parent.name == "kernels" and path.suffix == ".o":
            seconds[path.name] = (int(end) - int(start)) / 1000
    return seconds


def library_bytes(build):
    """(the whole library, the same without the kernels in float64)."""
    library = build / "runtime" / "libupconv.a"
    listing = subprocess.run(["ar", "tv", library], capture_output=True, text=True, check=True)
    members = [line.split() for line in listing.stdout.splitlines()]
    double = sum(int(m[2]) for m in members if "_float64_" in m[-1])
    whole = library.stat().st_size
    return whole, whole - double


def print_kernels(kernels, seconds):
    """A line for each kernel."""
    rows = tile_rows(json.loads((ROOT / "schedules" / "kernels.json").read_text()))
    print("| kernel | s | bytes | multiply-adds | instructions | stack traffic |")
    print("| --- |" + " ---: |" * 5)
    for path in kernels:
        name = path.stem.removeprefix("upconv_")
        cells = [f"`{name}`", f"{seconds[path.name]:.2f}", str(path.stat().st_size)]
        if name in rows:
            loops = hot_loops(path.with_suffix(".s"), rows[name])
            loop = max(loops, key=lambda v: v.stack)
            cells += [str(loop.multiply_adds), str(loop.instructions), str(loop.stack)]
        print("| " + " | ".join(cells + ["-"] * (6 - len(cells))) + " |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="only the totals, and the limits")
    options = parser.parse_args()
    folder = options.build / "runtime" / "kernels"
    seconds = generation_seconds(options.build)
    kernels = [path for path in sorted(folder.glob("*.o")) if path.name in seconds]
    if not kernels:
        raise SystemExit(f"{options.build} has no kernel that Ninja logged")
    if not options.check:
        print_kernels(kernels, seconds)

    slowest = max(kernels, key=lambda path: seconds[path.name])
    all_minutes = sum(seconds[path.name] for path in kernels) / 2 / 60
    whole, single = (value / 1e6 for value in library_bytes(options.build))
    print(f"{len(kernels)} kernels; the slowest takes {seconds[slowest.name]:.1f} s (at most "
          f"{MOST_SECONDS}), all {all_minutes:.1f} min on two cores (at most {MOST_MINUTES})")
    print(f"library: {whole:.2f} MB; without float64 {single:.2f} MB (at most {MOST_MEGABYTES})")
    return (seconds[slowest.name] > MOST_SECONDS or all_minutes > MOST_MINUTES
            or single > MOST_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
