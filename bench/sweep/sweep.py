#!/usr/bin/env python3
"""Times layers that nobody listed, to find the slow ones: `./dev bench --sweep`.

    sweep.py [N] --binaries build/bin --output FOLDER [--seed S] [--isa NAME] [--peer KEY]...

FOLDER gets sweep-S.jsonl, a line for each layer as soon as it is measured, and sweep-S.md. A run
that was stopped goes on where it was when it is started again with the same options.
"""

import argparse
import json
import pathlib
import random
import tempfile
import time

from configurations import CHECKED_CHANNELS, configuration

import machine
import measure
import processes
import worst
from journal import Journal

HERE = pathlib.Path(__file__).resolve().parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=300, metavar="N", help="layers (300)")
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="the workers")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for the results")
    parser.add_argument("--seed", type=int, default=1, help="which layers")
    parser.add_argument("--only", type=int, metavar="INDEX", help="this layer; nothing is kept")
    parser.add_argument("--peer", action="append", default=[], help="this peer too (repeatable)")
    parser.add_argument("--peers", action="store_true", help="all peers too")
    parser.add_argument("--isa", action="append", default=[], help="that we use; default: the best")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--milliseconds", type=float, default=25, help="of each peer in a round")
    options = parser.parse_args()
    options.peers = None if options.peers else options.peer
    options.statistic, options.new_shapes = "median", 0
    options.checked_channels = CHECKED_CHANNELS
    return options


KEPT = ("seed", "isa", "peers", "threads", "rounds", "milliseconds")


def command_of(options, layers):
    """What to type for these results."""
    words = ["./dev bench --sweep", str(max(v["index"] for v in layers) + 1)]
    for name in KEPT:
        value = getattr(options, name)
        if name == "peers":
            words += ["--peers"] if value is None else [f"--peer {key}" for key in value]
        else:
            words += [f"--{name} {one}" for one in (value if name == "isa" else [value])]
    return " ".join(words)


def run(options, cores, todo, keep):
    """Measures the layers of the indices `todo` and hands each to keep()."""
    start = time.monotonic()
    with open(options.output / "workers.log", "ab") as log, tempfile.TemporaryDirectory() as folder:
        binaries = options.binaries.resolve()
        ours = processes.start_ours(
            binaries / "upconv_peer_worker", options.isa, options.threads, cores, log
        )
        peers, missing = processes.start_peers(
            binaries, options.peers, ours["upconv"].info["isa"], options.threads, cores, log
        )
        for key, why in missing.items():
            print(f"{key} is left out: {why}", flush=True)
        facts = {
            "machine": machine.describe(HERE, cores, options.threads),
            "ours": list(ours),
            "versions": {k: w.info for k, w in {**ours, **peers}.items()},
        }
        try:
            for number, index in enumerate(todo):
                entry = configuration(options.seed, index)
                order = random.Random(index)
                layer = measure.measure_layer(entry, ours, peers, options, order, folder)
                layer = {**facts, **layer, "family": entry["family"], "index": index}
                keep(layer)
                left = (time.monotonic() - start) / (number + 1) * (len(todo) - number - 1)
                print(f"{number + 1}/{len(todo)}, {left / 60:.0f} min left: {worst.line_of(layer)}",
                      flush=True)
        finally:
            for worker in (*ours.values(), *peers.values()):
                worker.stop()


def main():
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    cores = processes.pick_cores(options.threads)
    if options.only is not None:
        run(options, cores, [options.only], lambda layer: print(json.dumps(layer, indent=1)))
        return
    start = {name: getattr(options, name) for name in KEPT}
    journal = Journal(options.output / f"sweep-{options.seed}.jsonl", start)
    done = {layer["index"] for layer in journal.entries}
    try:
        run(options, cores, [i for i in range(options.count) if i not in done], journal.add)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", flush=True)
    if journal.entries:
        text = worst.markdown(journal.entries, command_of(options, journal.entries))
        (options.output / f"sweep-{options.seed}.md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
