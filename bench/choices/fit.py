#!/usr/bin/env python3
"""Finds the prices of the strategies' bills (runtime/bill.h) from measured times.

    fit.py FOLDER/choices-1.jsonl... --isa NAME [--drop TERM]... [--held-out FILE]...

The files are what `./dev bench --choices` left, with times and counts of every strategy. Prices
start at the least relative error of predicted times, and are then moved, one at a time, to where
the strategy of least predicted cost loses least time. Prints the prices, for the constants named
so in runtime/*_plan.cpp, runtime/narrow_strip.cpp and runtime/winograd_layout.cpp, and how good
the choices are with them, on the files, on parts of them that were left out of the fit, and on
those held out.
"""

import argparse
import json
import pathlib

import numpy as np

#: A choice within this of the best one is a good one.
CLOSE = 1.10
#: How sharply a strategy of lower cost is preferred, in the smooth stand-in for the choice.
SHARP = 12.0
#: What the relative error of predicted times weighs beside the choices.
ERROR_WEIGHT = 0.05
#: The unit: this price stays 1.
UNIT = ("wide", "product")
STEPS = (0.1, 0.4, 0.7, 0.85, 0.93, 0.97, 1.03, 1.07, 1.18, 1.4, 2.5, 10.0)
#: Of a time, what a term has at least to begin with: a price of nothing would stay one.
LEAST_SHARE = 0.003


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
    """The layers of the files that more than one strategy can compute."""
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [v for v in lines if v.get("isa") == isa and len(v.get("us", {})) > 1]


class Layers:
    """Counts and times as arrays: a row of `counts` for each layer and strategy."""

    def __init__(self, lines, terms):
        of_term = {term: at for at, term in enumerate(terms)}
        self.names = [line["name"] for line in lines]
        self.counts, self.us, self.layer, self.strategy = [], [], [], []
        for number, line in enumerate(lines):
            for strategy, us in line["us"].items():
                row = np.zeros(len(terms))
                for name, count in line["bills"][strategy].items():
                    if (strategy, name) in of_term:
                        row[of_term[strategy, name]] += count
                self.counts.append(row)
                self.us.append(us)
                self.layer.append(number)
                self.strategy.append(strategy)
        self.counts, self.us = np.array(self.counts), np.array(self.us)
        self.layer = np.array(self.layer)
        self.first = np.flatnonzero(np.diff(self.layer, prepend=-1))
        self.loss = self.us / np.minimum.reduceat(self.us, self.first)[self.layer]

    def regrets(self, prices):
        """Of each layer: time of the strategy of least cost / time of the best one."""
        cost = self.counts @ prices
        least = np.minimum.reduceat(cost, self.first)[self.layer]
        return np.maximum.reduceat(np.where(cost == least, self.loss, 0), self.first)

    def objective(self, prices):
        """Smooth: missed choices, and a little of the relative error."""
        cost = np.log(self.counts @ prices)
        least = np.minimum.reduceat(cost, self.first)[self.layer]
        share = np.exp(-SHARP * (cost - least))
        share /= np.add.reduceat(share, self.first)[self.layer]
        missed = np.clip(np.log(self.loss) / np.log(CLOSE), 0, 3) ** 2 / (1 + 2 * (self.loss < CLOSE))
        error = cost - np.log(self.us)
        error -= np.median(error)
        return np.sum(share * missed + ERROR_WEIGHT * np.minimum(np.abs(error), 1))


def least_errors(layers):
    """Prices, all positive, of least relative error of the times: alternating ratios (the
    multiplicative updates of non-negative least squares)."""
    scaled = layers.counts / layers.us[:, None]
    prices = 1 / np.maximum(scaled.sum(axis=0), 1e-30) / scaled.shape[1]
    for _ in range(20000):
        prices *= scaled.sum(axis=0) / np.maximum(scaled.T @ (scaled @ prices), 1e-30)
    return prices


def fit(layers, terms):
    unit = terms.index(UNIT)
    prices = least_errors(layers)
    columns = (layers.counts / layers.us[:, None]).T
    prices = np.maximum(prices, [LEAST_SHARE / np.median(v[v > 0]) for v in columns])
    prices /= prices[unit]
    best = layers.objective(prices)
    for _ in range(40):
        before = best
        for at in range(len(prices)):
            if at == unit:
                continue
            for step in STEPS:
                moved = prices.copy()
                moved[at] *= step
                found = layers.objective(moved)
                if found < best:
                    best, prices = found, moved
        if best > before * (1 - 1e-4):
            break
    return prices


def said(what, regrets, number):
    """`number` layers, of which those without a regret had no choice to make."""
    close = number - np.sum(regrets > CLOSE)
    print(f"{what}: {100 * close / number:.1f}% of {number} within {100 * CLOSE - 100:.0f}% of the best, "
          f"mean {np.exp(np.sum(np.log(regrets)) / number):.4f}, worst {regrets.max():.2f}")


def main():
    options = parse()
    lines = read(options.files, options.isa)
    terms = sorted({(s, name) for line in lines for s, bill in line["bills"].items()
                    for name, count in bill.items() if count > 0 and f"{s}.{name}" not in options.drop})
    layers = Layers(lines, terms)
    prices = fit(layers, terms)
    for (strategy, name), price in zip(terms, prices):
        print(f"{strategy:9} {name:16} {price:.4g}")
    said("fitted", layers.regrets(prices), len(lines))
    if options.parts:
        regrets = []
        for part in range(options.parts):
            others = [v for at, v in enumerate(lines) if at % options.parts != part]
            mine = [v for at, v in enumerate(lines) if at % options.parts == part]
            regrets.append(Layers(mine, terms).regrets(fit(Layers(others, terms), terms)))
        said("left out in turn", np.concatenate(regrets), len(lines))
    for file in options.held_out:
        held = read([file], options.isa)
        said(f"held out, {file.name}", Layers(held, terms).regrets(prices), len(held))


if __name__ == "__main__":
    main()
