#!/usr/bin/env python3
"""Times all strategies of every layer and asks how good the chosen one is: `./dev bench --choices`.

    choices.py [N] --binaries build/bin --output FOLDER [--seed S] [--isa NAME]...

The layers are those of bench/layers.json and N generated ones (../sweep). FOLDER gets
choices-S.jsonl, a line for each layer and instruction set as soon as it is measured, and
choices-S.md. A run that was stopped goes on where it was when it is started again with the same
options.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "sweep")]
import machine  # noqa: E402
import processes  # noqa: E402
from configurations import configuration  # noqa: E402
from journal import Journal  # noqa: E402
from report import digits, table  # noqa: E402

#: Rounds with arrays at one place: where they lie makes a tenth of a time.
PLACED = 3
#: What the cost model promises: the chosen strategy takes at most so much more than the best one.
CLOSE = 1.10


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=300, metavar="N",
                        help="generated layers (300), besides the listed ones")
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help="the worker")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for the results")
    parser.add_argument("--layers", type=pathlib.Path, default=HERE.parent / "layers.json")
    parser.add_argument("--seed", type=int, default=1, help="which layers are generated")
    parser.add_argument("--isa", action="append", default=[], help="default: the best")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--milliseconds", type=float, default=4, help="of each strategy in a round")
    return parser.parse_args()


KEPT = ("seed", "isa", "rounds", "milliseconds")


def command_of(options, count):
    words = [f"./dev bench --choices {count}"]
    for name in KEPT:
        value = getattr(options, name)
        words += [f"--{name} {one}" for one in (value if name == "isa" else [value])]
    return " ".join(words)


def measure(worker, entry, isa, options):
    """A line of the journal: cost and microseconds of each strategy."""
    layer = {"command": "prepare", "config": entry["config"], "shape": entry["input"], "isa": isa}
    found = worker.ask(layer)
    line = {"name": entry["name"], "listed": "index" not in entry, "isa": isa, **found}
    if "refused" in found:
        return line
    names = list(found["costs"])
    times = {strategy: [] for strategy in names}
    for turn in range(options.rounds):
        if turn > 0 and turn % PLACED == 0:
            worker.ask(layer)
        first = turn % len(names)
        for strategy in names[first:] + names[:first]:
            times[strategy].append(worker.ask({"command": "time", "strategy": strategy,
                                               "milliseconds": options.milliseconds})["median_us"])
    return {**line, "us": together(times)}


def together(times):
    """A time of each strategy, from those of rounds. A machine that others use is slow for a while
    at a time, so that strategies are compared within rounds: each has its median share of a round,
    of which all have the same median length."""
    lengths = [statistics.geometric_mean(of) for of in zip(*times.values())]
    length = statistics.median(lengths)
    return {strategy: length * statistics.median(us / of for us, of in zip(all_us, lengths))
            for strategy, all_us in times.items()}


def regret(line):
    """Time of the chosen strategy / time of the best one."""
    return line["us"][line["chosen"]] / min(line["us"].values())


def summary(lines):
    """What is said of a set of layers, as a table's row."""
    regrets = [regret(line) for line in lines]
    close = sum(r <= CLOSE for r in regrets)
    chosen = sum(line["us"][line["chosen"]] for line in lines)
    best = sum(min(line["us"].values()) for line in lines)
    return [str(len(lines)), f"{100 * close / len(lines):.1f}%", f"{statistics.geometric_mean(regrets):.3f}",
            f"{max(regrets):.2f}", f"{100 * (chosen / best - 1):.1f}%"]


def markdown(lines, of, command):
    parts = ["# Choices between strategies",
             f"{of['processor']} ({of['family']}), 1 of {of['cores']} cores; {of['date']}; commit "
             f"{of['commit']}. Every strategy that can compute a layer was timed; the choice is made "
             "from the layer's shape alone.",
             f"    {command}"]
    rows = []
    for isa in sorted({line["isa"] for line in lines}):
        for listed, what in ((True, "listed"), (False, "generated")):
            mine = [v for v in lines if v["isa"] == isa and v["listed"] == listed and "us" in v]
            if mine:
                rows.append([isa, what, *summary(mine)])
    parts.append(table(
        ["isa", "layers", "number", f"within {round(100 * CLOSE - 100)}% of the best",
         "chosen / best, mean", "worst", "time lost in all"], rows))
    missed = sorted((v for v in lines if "us" in v and regret(v) > CLOSE), key=regret, reverse=True)
    parts.append("Layers whose choice is not within it; microseconds, the chosen strategy in bold:")
    names = sorted({s for line in lines for s in line.get("us", {})})
    parts.append(table(
        ["layer", "isa", *names, "chosen / best"],
        [[f"`{v['name']}`", v["isa"],
          *(f"**{digits(v['us'][s])}**" if s == v["chosen"] else digits(v["us"][s])
            if s in v["us"] else "-" for s in names), f"{regret(v):.2f}"] for v in missed]))
    return "\n\n".join(parts) + "\n"


def main():
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    cores = processes.pick_cores(1)
    with open(options.output / "workers.log", "ab") as log:
        worker = processes.Worker("choices", [str(options.binaries.resolve() / "upconv_strategies")],
                                  1, cores, log)
        options.isa = options.isa or [worker.info["isa"]]
        journal = Journal(options.output / f"choices-{options.seed}.jsonl",
                          {name: getattr(options, name) for name in KEPT})
        done = {(line["name"], line["isa"]) for line in journal.entries}
        layers = json.loads(options.layers.read_text())
        layers += [configuration(options.seed, index) for index in range(options.count)]
        todo = [(entry, isa) for entry in layers for isa in options.isa
                if (entry["name"], isa) not in done]
        start = time.monotonic()
        try:
            for number, (entry, isa) in enumerate(todo):
                line = measure(worker, entry, isa, options)
                journal.add(line)
                left = (time.monotonic() - start) / (number + 1) * (len(todo) - number - 1)
                said = line.get("refused") or f"{line['chosen']}, {regret(line):.2f} of the best"
                print(f"{number + 1}/{len(todo)}, {left / 60:.0f} min left: {entry['name']} {isa}: "
                      f"{said}", flush=True)
        except KeyboardInterrupt:
            print("stopped; the same command goes on", flush=True)
        finally:
            worker.stop()
    if journal.entries:
        text = markdown(journal.entries, machine.describe(HERE, cores, 1),
                        command_of(options, options.count))
        (options.output / f"choices-{options.seed}.md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
