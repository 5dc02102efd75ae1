#!/usr/bin/env python3
"""Layers as upconvc compiles them, beside the library: `./dev bench --compiled`.

    compiled.py --binaries build/bin --output FOLDER [--only NAME]... [--isa NAME]...
                [--generated N] [--seed S]

The layers are those of bench/layers.json, or N generated ones (../sweep) that take a few
milliseconds at most. Each is checked against the definition and timed in turns with the library on
the same instruction set and arithmetic: with direct sums, and with the default, for which both may
choose fast algorithms. FOLDER gets compiled.json and compiled.md. A run that was stopped goes on
where it was; another FOLDER begins anew.
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "sweep")]
import machine  # noqa: E402
import measure  # noqa: E402
import processes  # noqa: E402
from configurations import configuration, sizes_of  # noqa: E402
from report import digits, mean, table  # noqa: E402

ARITHMETICS = ("direct", "fast")
#: Of a generated layer: about ten milliseconds.
MOST_OPERATIONS = 1e9
#: A ratio nearer to 1 than this is noise on a machine that others use, too.
EQUAL = 0.03


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="workers and upconvc")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for the results")
    parser.add_argument("--layers", type=pathlib.Path, default=HERE.parent / "layers.json")
    parser.add_argument("--only", action="append", default=[], help="this layer (repeatable)")
    parser.add_argument("--generated", type=int, default=0, metavar="N",
                        help="generated layers, in the place of the listed ones")
    parser.add_argument("--seed", type=int, default=1, help="which layers are generated")
    parser.add_argument("--isa", action="append", default=[], help="default: avx512 and avx2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--milliseconds", type=float, default=40, help="of each in a round")
    parser.set_defaults(threads=1, statistic="median", new_shapes=0, checked_channels=16)
    options = parser.parse_args()
    options.isa = options.isa or ["avx512", "avx2"]
    return options


def generated(count, seed):
    """The first so many of a seed that are small enough."""
    layers, index = [], 0
    while len(layers) < count:
        entry = configuration(seed, index)
        if sizes_of(entry["config"], entry["input"])[0] <= MOST_OPERATIONS:
            layers.append(entry)
        index += 1
    return layers


def time_layer(entry, isa, options, workers, folder):
    """{arithmetic: {"library", "strategy", "compiled"}}, or {"refused": why}."""
    ours, compiled = workers
    found = {}
    for arithmetic in ARITHMETICS:
        config = dict(entry["config"], arithmetic=arithmetic)
        order = random.Random(entry["name"] + isa + arithmetic)
        layer = measure.measure_layer(dict(entry, config=config), ours, compiled, options, order,
                                      folder)
        peers = layer["peers"]
        if "us" not in peers["compiled"]:
            return {"refused": peers["compiled"].get("refused", "no time")}
        library, own = (peers[key]["variants"][peers[key]["best_variant"]]["rounds"]
                        for key in ("upconv", "compiled"))
        ratios = [a["median_us"] / b["median_us"] for a, b in zip(library, own)]
        found[arithmetic] = {"library": peers["upconv"]["us"],
                             "strategy": peers["upconv"]["strategy"],
                             "compiled": peers["compiled"]["us"],
                             "ratio": statistics.median(ratios)}
    return found


def ratio(row):
    """Of the same round, in the median: a machine that others use is slow for a while at a time."""
    return row["ratio"]


def markdown(result):
    of = result["machine"]
    parts = ["# Compiled layers beside the library",
             f"{of['processor']}, 1 of {of['cores']} cores; {of['date']}; commit {of['commit']}. "
             f"Medians of {result['rounds']} interleaved rounds of {result['milliseconds']:.0f} ms "
             "each, float32, microseconds a call; `library / compiled` is the median of the rounds' "
             "ratios, and where it is more than 1 the compiled layer is faster.",
             f"    {result['command']}"]
    for isa, layers in result["layers"].items():
        rows = []
        for name, found in layers.items():
            if "refused" in found:
                rows.append([f"`{name}`", found["refused"], *["-"] * 7])
                continue
            row = [f"`{name}`"]
            for arithmetic in ARITHMETICS:
                one = found[arithmetic]
                row += [digits(one["compiled"]), digits(one["library"]), one["strategy"],
                        f"{ratio(one):.2f}"]
            rows.append(row)
        head = ["layer", "compiled, direct", "library, direct", "strategy", "library / compiled",
                "compiled, fast", "library, fast", "strategy", "library / compiled"]
        lines = []
        for arithmetic in ARITHMETICS:
            ratios = [ratio(v[arithmetic]) for v in layers.values() if "refused" not in v]
            faster = sum(r > 1 + EQUAL for r in ratios)
            slower = sum(r < 1 - EQUAL for r in ratios)
            lines.append(f"- {arithmetic}: geometric mean {mean(ratios):.2f}; of {len(ratios)} "
                         f"layers {faster} are faster compiled and {slower} slower, by more than "
                         f"{EQUAL:.0%}.")
        parts += [f"## {isa}", table(head, rows), "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def main():
    options = parse()
    layers = generated(options.generated, options.seed) or json.loads(options.layers.read_text())
    names = [layer["name"] for layer in layers]
    unknown = set(options.only) - set(names)
    if unknown:
        raise SystemExit(f"--only is {', '.join(unknown)}; the layers are {', '.join(names)}")
    layers = [v for v in layers if not options.only or v["name"] in options.only]
    options.output.mkdir(parents=True, exist_ok=True)
    binaries = options.binaries.resolve()
    cores = processes.pick_cores(1)
    path = options.output / "compiled.json"
    result = {"machine": machine.describe(HERE, cores, 1),
              "command": "./dev bench --compiled " + " ".join(sys.argv[5:]),
              "rounds": options.rounds, "milliseconds": options.milliseconds, "layers": {}}
    if path.exists():
        result["layers"] = json.loads(path.read_text())["layers"]
    with open(options.output / "workers.log", "ab") as log, tempfile.TemporaryDirectory() as folder:
        for isa in options.isa:
            ours = processes.start_ours(binaries / "upconv_peer_worker", [isa], 1, cores, log)
            compiled, missing = processes.start_peers(binaries, ["compiled"], isa, 1, cores, log)
            if missing:
                raise SystemExit(f"{missing}; workers.log may say why")
            done = result["layers"].setdefault(isa, {})
            try:
                for entry in layers:
                    if entry["name"] in done:
                        continue
                    done[entry["name"]] = time_layer(entry, isa, options, (ours, compiled), folder)
                    path.write_text(json.dumps(result, indent=1) + "\n")
                    print(isa, entry["name"], done[entry["name"]], flush=True)
            finally:
                for worker in (*ours.values(), *compiled.values()):
                    worker.stop()
    (options.output / "compiled.md").write_text(markdown(result))
    print((options.output / "compiled.md").read_text())


if __name__ == "__main__":
    main()
