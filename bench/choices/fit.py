#!/usr/bin/env python3
"""Finds the prices of the strategies' bills (runtime/bill.h) from measured times.

    fit.py FOLDER/choices-1.jsonl... --isa NAME [--drop STRATEGY.TERM]... [--held-out FILE]...

The files are what `./dev bench --choices` left, with times and counts of every strategy. Prices are
those for which the logarithms of predicted and measured times differ least; large differences count
as themselves, not as their squares. What takes every strategy the same time (a call, x and y that
come from and go to far memory) has prices of its own, in the name of `all`: no bill has them, since
they do not change which strategy takes least, but without them others would pay for it. Prints the
prices, for the constants named so in runtime/*_cost.cpp, runtime/narrow_strip.cpp and
runtime/*_layout.cpp, how well they predict, and how good the choices are with them: on the files, on
parts of them that were left out of the fit, and on those held out.
"""

import argparse
import json
import pathlib

import numpy as np

#: A choice within this of the best one is a good one.
CLOSE = 1.10
#: Terms that have the price of another: the same kernels.
SAME_AS = {("scatter", "product"): ("wide", "product")}
#: The unit: this price is 1.
UNIT = ("wide", "product")
#: Bytes that stay in the second-level cache, and in some cache.
NEAR, CACHED = 1 << 19, 16 << 20
#: Differences of logarithms from which on they no longer count as squares.
LARGE = 0.15
STEPS = 3000


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=pathlib.Path, nargs="+", metavar="FILE")
    parser.add_argument("--isa", required=True)
    parser.add_argument("--drop", action="append", default=[], metavar="STRATEGY.TERM",
                        help="a term whose price is to be 0")
    parser.add_argument("--held-out", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--parts", type=int, default=5, help="of the files, left out in turn; 0: none")
    return parser.parse_args()


def read(files, isa):
    """The layers of the files that were timed."""
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [v for v in lines if v.get("isa") == isa and "us" in v]


def common(line):
    """Counts of what every strategy does."""
    x, y = line["bytes"]["x"], line["bytes"]["y"]
    return {"call": 1, "y": y / 64, "far y": max(0, y - NEAR) / 64,
            "y in memory": max(0, y - CACHED) / 64, "x in memory": max(0, x - CACHED) / 64}


class Layers:
    """Counts and times as arrays: a row of `counts` for each layer and strategy."""

    def __init__(self, lines, terms=None, drop=()):
        rows = []
        self.us, self.strategy, self.layer = [], [], []
        for number, line in enumerate(lines):
            shared = {("all", name): count for name, count in common(line).items()}
            for strategy, us in line["us"].items():
                row = dict(shared)
                for name, count in line["bills"][strategy].items():
                    if f"{strategy}.{name}" in drop:
                        continue
                    term = SAME_AS.get((strategy, name), (strategy, name))
                    row[term] = row.get(term, 0) + count
                rows.append(row)
                self.us.append(us)
                self.strategy.append(strategy)
                self.layer.append(number)
        self.terms = terms or sorted({t for row in rows for t, count in row.items() if count > 0})
        self.counts = np.array([[row.get(term, 0) for term in self.terms] for row in rows])
        self.us, self.strategy = np.array(self.us), np.array(self.strategy)
        self.first = np.flatnonzero(np.diff(self.layer, prepend=-1))
        best = np.minimum.reduceat(self.us, self.first)
        self.loss = self.us / best[np.array(self.layer)]

    def regrets(self, prices):
        """Of each layer: time of the strategy of least predicted time / time of the best one."""
        time = self.counts @ prices
        ends = np.append(self.first[1:], len(time))
        return np.array([self.loss[begin + np.argmin(time[begin:end])]
                         for begin, end in zip(self.first, ends)])

    def errors(self, prices):
        return np.log(self.counts @ prices / self.us)


def fit(layers):
    """Microseconds of one of each term."""
    shares = layers.counts / layers.us[:, None]
    # Positive prices of least relative error, by multiplicative updates (non-negative least squares).
    prices = 1 / np.maximum(shares.sum(axis=0), 1e-30) / len(layers.terms)
    for _ in range(STEPS):
        prices *= shares.sum(axis=0) / np.maximum(shares.T @ (shares @ prices), 1e-30)
    # From there downhill, each price by the same factor about (Adam on their logarithms).
    least = np.log([1e-6 / np.median(column[column > 0]) for column in shares.T])
    at = np.maximum(np.log(np.maximum(prices, 1e-300)), least + np.log(1e3))
    mean, square = np.zeros_like(at), np.zeros_like(at)
    for step in range(STEPS):
        predicted = shares @ np.exp(at)
        error = np.log(predicted)
        pull = error / np.sqrt(1 + (error / LARGE) ** 2) / predicted
        slope = np.exp(at) * (pull @ shares) / len(pull)
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        rate = 0.05 * (1 - step / STEPS) + 0.001
        scale = np.sqrt(square / (1 - 0.999 ** (step + 1))) + 1e-9
        at = np.maximum(at - rate * mean / (1 - 0.9 ** (step + 1)) / scale, least)
    return np.exp(at)


def said(what, regrets):
    print(f"{what}: {100 * np.mean(regrets <= CLOSE):.1f}% of {len(regrets)} within "
          f"{100 * CLOSE - 100:.0f}% of the best, mean {np.exp(np.mean(np.log(regrets))):.4f}, "
          f"worst {regrets.max():.2f}")


def main():
    options = parse()
    lines = read(options.files, options.isa)
    layers = Layers(lines, drop=options.drop)
    prices = fit(layers)
    unit = prices[layers.terms.index(UNIT)]
    for (strategy, name), price in zip(layers.terms, prices):
        print(f"{strategy:9} {name:16} {price / unit:.4g}")
    for strategy in sorted(set(layers.strategy)):
        error = np.abs(layers.errors(prices)[layers.strategy == strategy])
        print(f"{strategy}: half of the predicted times are within {100 * np.median(error):.0f}%")
    said("fitted", layers.regrets(prices))
    if options.parts:
        regrets = []
        for part in range(options.parts):
            others = [v for at, v in enumerate(lines) if at % options.parts != part]
            mine = [v for at, v in enumerate(lines) if at % options.parts == part]
            left = fit(Layers(others, layers.terms, options.drop))
            regrets.append(Layers(mine, layers.terms, options.drop).regrets(left))
        said("left out in turn", np.concatenate(regrets))
    for file in options.held_out:
        held = Layers(read([file], options.isa), layers.terms, options.drop)
        said(f"held out, {file.name}", held.regrets(prices))


if __name__ == "__main__":
    main()
