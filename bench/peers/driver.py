#!/usr/bin/env python3
"""Times this library beside its peers: `./dev bench --peers`. README.md says what is timed and how.

    driver.py --binaries build/bin --output FOLDER [--threads 1] [--only NAME]... [--peer KEY]...
              [--isa NAME]...

FOLDER gets peers.json, peers.md, roofline.svg, layers.svg and workers.log.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile

import figure
import machine
import measure
import processes
import report

HERE = pathlib.Path(__file__).resolve().parent
#: A layer of one product: what a call costs before it computes anything.
SMALLEST = {
    "name": "smallest",
    "source": "one product: the fixed cost of a call",
    "input": [1, 1, 1, 1],
    "config": {"input_size": 1, "output_size": 1, "filter_shape": [1, 1], "padding": "valid"},
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="the workers")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for the results")
    parser.add_argument("--layers", type=pathlib.Path, default=HERE.parent / "layers.json")
    parser.add_argument("--only", action="append", default=[], help="this layer (repeatable)")
    parser.add_argument("--peer", action="append", default=[], help="this peer (repeatable)")
    parser.add_argument("--isa", action="append", default=[],
                        help="instruction set that we use (repeatable: a column each; the first is "
                             "compared with the peers); default: the best")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--milliseconds", type=float, default=150, help="of each peer in a round")
    parser.add_argument("--statistic", choices=("median", "min"), default="median")
    parser.add_argument("--new-shapes", type=int, default=2, help="shapes for the first-call time")
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    parser.set_defaults(checked_channels=None)  # all
    return parser.parse_args()


def main():
    options = parse()
    layers = [SMALLEST, *json.loads(options.layers.read_text())]
    names = [layer["name"] for layer in layers]
    unknown = set(options.only) - set(names)
    if unknown:
        raise SystemExit(f"--only is {', '.join(unknown)}; the layers are {', '.join(names)}")
    if options.only:
        layers = [v for v in layers if v["name"] in options.only or v is SMALLEST]
    options.output.mkdir(parents=True, exist_ok=True)

    cores = processes.pick_cores(options.threads)
    result = {
        "machine": machine.describe(HERE, cores, options.threads),
        "command": " ".join(["bench/peers/driver.py", *sys.argv[1:]]),
        "rounds": options.rounds,
        "statistic": options.statistic,
        "milliseconds": options.milliseconds,
        "layers": [],
    }
    order = random.Random(options.seed)
    with open(options.output / "workers.log", "wb") as log, tempfile.TemporaryDirectory() as folder:
        ours = processes.start_ours(
            options.binaries.resolve() / "upconv_peer_worker", options.isa, options.threads, cores, log
        )
        peers, missing = processes.start_peers(
            options.binaries.resolve(), options.peer or None, ours["upconv"].info["isa"],
            options.threads, cores, log,
        )
        try:
            result["ours"] = list(ours)
            result["versions"] = {k: w.info for k, w in {**ours, **peers}.items()}
            result["missing"] = missing
            for key, why in missing.items():
                print(f"{key} is left out: {why}", flush=True)
            for entry in layers:
                layer = measure.measure_layer(entry, ours, peers, options, order, folder)
                result["layers"].append(layer)
                # One machine has one peak: the best of all rounds so far.
                peaks = result.setdefault("peaks", dict.fromkeys(ours, 0.0))
                for key in ours:
                    peaks[key] = max(peaks[key], layer["peers"][key]["peak_gflops"])
                print(report.line_of(layer), flush=True)
                # What there is so far, so that a run that is cut short is not lost.
                (options.output / "peers.json").write_text(json.dumps(result, indent=1) + "\n")
        finally:
            for worker in (*ours.values(), *peers.values()):
                worker.stop()
    (options.output / "peers.md").write_text(report.markdown(result))
    figure.draw(result, options.output)
    print((options.output / "peers.md").read_text())


if __name__ == "__main__":
    main()
