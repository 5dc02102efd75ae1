#!/usr/bin/env python3
"""Tunes the table of kernels for the machine that it runs on: `./dev tune`.

    tune.py --build FOLDER [--only NAME]... [--isa NAME] [--try tiles|sizes]... [--write]

Each candidate is a whole build of the library with another table: its results are checked, and it is
timed beside the best table so far, in turns. What is better is kept and the next candidate starts
from there. A run that was stopped goes on where it was. docs/tuning.md explains it.
"""

import argparse
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "bench" / "peers"))
import measure  # noqa: E402
import processes  # noqa: E402
from journal import Journal  # noqa: E402
from report import digits, mean  # noqa: E402

from moves import moves, rewrite  # noqa: E402

TABLE = ROOT / "schedules" / "kernels.json"
BETTER = 1.01  # of the geometric mean, twice, to be kept
WORST = 0.97  # no layer may get slower than that


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="for candidates; kept")
    parser.add_argument("--layers", type=pathlib.Path, default=ROOT / "bench" / "layers.json")
    parser.add_argument("--only", action="append", default=[], help="this layer (repeatable)")
    parser.add_argument("--isa", help="instruction set to tune; default: the best")
    parser.add_argument("--try", dest="kinds", action="append", choices=("tiles", "sizes"),
                        help="what to change (repeatable); default: both")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--milliseconds", type=float, default=40, help="of each layer in a round")
    parser.add_argument("--write", action="store_true", help="the best into schedules/kernels.json")
    options = parser.parse_args()
    options.kinds = options.kinds or ["tiles", "sizes"]
    options.statistic, options.new_shapes, options.checked_channels = "median", 0, 16
    return options


def digest(table):
    return hashlib.sha256(json.dumps(table).encode()).hexdigest()[:12]


def build(folder, table):
    """The worker of the library with that table; kept, so that it is built once."""
    worker = folder / "workers" / digest(table) / "upconv_peer_worker"
    if worker.exists():
        return worker
    candidate = folder / "candidate.json"
    candidate.write_text(json.dumps(table))
    log = folder / "build.log"
    with open(log, "w", encoding="utf-8") as file:
        for command in (
            ["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             f"-DUPCONV_KERNEL_TABLE={candidate}", "-DUPCONV_BUILD_TESTS=OFF",
             "-DUPCONV_BUILD_EXAMPLES=OFF", "-DUPCONV_INSTALL=OFF"],
            ["cmake", "--build", folder, "--target", "upconv_peer_worker"],
        ):
            if subprocess.run(command, stdout=file, stderr=file).returncode:
                raise SystemExit(f"a candidate does not build: {log} says why")
    worker.parent.mkdir(parents=True)
    worker.write_bytes((folder / "bin" / "upconv_peer_worker").read_bytes())
    worker.chmod(0o755)
    return worker


class Log:
    """What was measured, in tune.jsonl."""

    def __init__(self, path, start):
        self.journal = Journal(path, start)
        self.found = {tuple(v["key"]): v["ratios"] for v in self.journal.entries}

    def get(self, key, measured):
        """The ratios of a candidate: as logged, or from measured()."""
        if key not in self.found:
            self.found[key] = measured()
            self.journal.add({"key": key, "ratios": self.found[key]})
        return self.found[key]


class Bench:
    """Times two builds beside each other."""

    def __init__(self, options, layers, cores):
        self.options, self.layers, self.cores = options, layers, cores

    def compare(self, base, candidate):
        """{layer: time of base / time of candidate}; the reason where a result is wrong."""
        options = self.options
        with open(options.build / "workers.log", "ab") as log, \
                tempfile.TemporaryDirectory() as folder:
            isas = [options.isa] if options.isa else []
            ours = processes.start_ours(base, isas, options.threads, self.cores, log)
            peers = processes.start_ours(candidate, isas, options.threads, self.cores, log)
            others = {"candidate": peers["upconv"]}
            try:
                return {v["name"]: self.ratio(v, ours, others, folder) for v in self.layers}
            finally:
                for worker in (*ours.values(), *others.values()):
                    worker.stop()

    def ratio(self, entry, ours, others, folder):
        order = random.Random(entry["name"])
        layer = measure.measure_layer(entry, ours, others, self.options, order, folder)
        candidate = layer["peers"]["candidate"]
        if "us" not in candidate:
            return candidate["refused"]
        return layer["peers"]["upconv"]["us"] / candidate["us"]

    def describe(self, worker):
        """{layer: (strategy, us)} and the instruction set of a build."""
        options, found = self.options, {}
        with open(options.build / "workers.log", "ab") as log, \
                tempfile.TemporaryDirectory() as folder:
            isas = [options.isa] if options.isa else []
            ours = processes.start_ours(worker, isas, options.threads, self.cores, log)
            try:
                for entry in self.layers:
                    layer = measure.measure_layer(entry, ours, {}, options, random.Random(1), folder)
                    own = layer["peers"]["upconv"]
                    found[entry["name"]] = own["strategy"], own["us"]
            finally:
                ours["upconv"].stop()
        return found, ours["upconv"].info["isa"]


def verdict(ratios):
    """(geometric mean, whether it is better, what to print)."""
    wrong = [f"{name}: {why}" for name, why in ratios.items() if isinstance(why, str)]
    if wrong:
        return 0, False, "wrong or refused: " + wrong[0]
    score, worst = mean(ratios.values()), min(ratios.items(), key=lambda item: item[1])
    better = score >= BETTER and worst[1] >= WORST
    return score, better, f"{score:.3f} (worst {worst[0]} {worst[1]:.3f})"


def search(options, bench, log, table):
    """The best table found."""
    described, isa = bench.describe(build(options.build, table))
    for name, (strategy, us) in described.items():
        print(f"{name}: {strategy}, {digits(us)} us", flush=True)
    strategies = {strategy for strategy, _ in described.values()}
    best, done = table, False
    while not done:
        candidates = list(moves(best, isa, strategies, options.kinds))
        fresh = sum((digest(best), digest(table)) not in log.found for _, table in candidates)
        start, tried, done = time.monotonic(), 0, True
        for number, (text, candidate) in enumerate(candidates):
            def measured(candidate=candidate):
                return bench.compare(build(options.build, best), build(options.build, candidate))

            key = digest(best), digest(candidate)
            known = key in log.found
            _, better, line = verdict(log.get(key, measured))
            tried += not known
            left = (time.monotonic() - start) / max(tried, 1) * (fresh - tried)
            print(f"{number + 1}/{len(candidates)}, {left / 60:.0f} min left in this round: "
                  f"{text}: {line}", flush=True)
            if better and verdict(log.get((*key, "again"), measured))[1]:
                print(f"kept: {text}", flush=True)
                best, done = candidate, False
                break
    return best


def main():
    options = parse()
    options.build = options.build.resolve()
    options.build.mkdir(parents=True, exist_ok=True)
    layers = json.loads(options.layers.read_text())
    names = [layer["name"] for layer in layers]
    unknown = set(options.only) - set(names)
    if unknown:
        raise SystemExit(f"--only is {', '.join(unknown)}; the layers are {', '.join(names)}")
    layers = [layer for layer in layers if layer["name"] in options.only or not options.only]
    text = TABLE.read_text()
    table = json.loads(text)
    start = {"table": digest(table), "layers": [v["name"] for v in layers]}
    start.update({n: getattr(options, n) for n in ("isa", "kinds", "threads")})
    bench = Bench(options, layers, processes.pick_cores(options.threads))
    log = Log(options.build / "tune.jsonl", start)
    best = search(options, bench, log, table)
    output = TABLE if options.write else options.build / "kernels.json"
    output.write_text(rewrite(text, table, best))
    changed = "no change is better" if best == table else "the changes that were kept are there"
    print(f"{output}: {changed}")


if __name__ == "__main__":
    main()
