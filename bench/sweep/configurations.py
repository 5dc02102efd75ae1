"""Layers that nobody listed: configuration `index` of a seed, the same on every machine.

Each belongs to a family, so that every known hard kind comes up as often as any other.
"""

import math
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
from problem import Problem  # noqa: E402

MOST_OPERATIONS = 20e9
MOST_BYTES = 2**30  # of input, weights and output
# The check adds up one tap at a time, of so many output channels, at most so many sums: a second.
CHECKED_CHANNELS = 16
MOST_CHECKED = 3e8


class Draw(random.Random):
    """Numbers from 1 to thousands, small ones as likely as large ones."""

    def size(self, low, high):
        return min(high, int(low * (high / low + 1 / low) ** self.random()))

    def channels(self, low=1, high=2048):
        """Half of them multiples of 16, as most networks have them."""
        found = self.size(low, high)
        return max(16, found // 16 * 16) if high >= 16 and self.random() < 0.5 else found

    def each(self, rank, low, high):
        """One number for all axes, or one for each."""
        if self.random() < 0.7:
            return [self.size(low, high)] * rank
        return [self.size(low, high) for _ in range(rank)]


def anything(draw, rank=None):
    rank = rank or draw.choice((1, 2, 2, 3))
    return {
        "rank": rank,
        "input_size": draw.channels(),
        "output_size": draw.channels(),
        "filter_shape": draw.each(rank, 1, 17),
        "strides": draw.each(rank, 1, 8),
        "dilations": [1] * rank,
        "extents": draw.each(rank, 1, 512),
    }


def narrow_output(draw):
    return {**anything(draw), "output_size": draw.randint(1, 7)}


def few_inputs(draw):
    return {**anything(draw), "input_size": draw.randint(1, 7)}


def odd_channels(draw):
    return {**anything(draw), "input_size": draw.size(1, 300) | 1, "output_size": draw.size(8, 600) | 1}


def tiny_extents(draw):
    layer = anything(draw)
    layer.update(input_size=draw.channels(128), output_size=draw.channels(128))
    return {**layer, "extents": draw.each(layer["rank"], 1, 8)}


def short_reduction(draw):
    """Filter and stride alike, few channels, a large output: bound by writing it."""
    layer = anything(draw)
    rank, stride = layer["rank"], draw.randint(2, 4)
    layer.update(filter_shape=[stride] * rank, strides=[stride] * rank)
    return {**layer, "input_size": draw.channels(1, 256), "extents": draw.each(rank, 16, 512)}


def filter_below_stride(draw):
    layer = anything(draw)
    strides = draw.each(layer["rank"], 2, 8)
    return {**layer, "strides": strides, "filter_shape": [draw.randint(1, s) for s in strides]}


def long_filter(draw):
    """Hundreds of phases, as in an inverse Fourier transform."""
    layer = anything(draw, rank=1)
    taps = draw.choice((draw.size(16, 1024), 1024))
    return {**layer, "filter_shape": [taps], "strides": [draw.size(8, min(256, taps))]}


def dilated(draw):
    layer = anything(draw)
    return {**layer, "dilations": draw.each(layer["rank"], 2, 8), "filter_shape": [3] * layer["rank"]}


def volume(draw):
    return anything(draw, rank=3)


FAMILIES = (
    anything, narrow_output, few_inputs, odd_channels, tiny_extents, short_reduction,
    filter_below_stride, long_filter, dilated, volume,
)  # fmt: skip


def padding(draw, layer):
    if max(layer["dilations"]) > 1 or draw.random() < 0.3:
        return "valid"
    if draw.random() < 0.5:
        return "same"
    crops = [max(f - s, 0) // 2 for f, s in zip(layer["filter_shape"], layer["strides"])]
    return [[c, c] for c in crops]


def sizes_of(config, shape):
    """(operations before the crop, bytes, sums that a check adds), or nothing without an output."""
    problem = Problem(config, shape)
    if min(problem.lengths) < 1:
        return None
    taps, points = math.prod(problem.filters), math.prod(shape[:-1])
    weights = taps * problem.input_size * problem.output_size
    numbers = math.prod(shape) + weights + math.prod(problem.output_shape)
    checked = points * taps * min(problem.output_size, CHECKED_CHANNELS)
    return 2 * points * weights, 4 * numbers, checked


def configuration(seed, index):
    """An entry as those of bench/layers.json, with its family and index."""
    draw = Draw(f"{seed}:{index}")
    family = FAMILIES[index % len(FAMILIES)]
    while True:
        layer = family(draw)
        extents = layer.pop("extents")
        config = {**layer, "padding": padding(draw, layer)}
        shape = [draw.choice((1, 1, 1, 2, 8)), *extents, layer["input_size"]]
        found = sizes_of(config, shape)
        if found and all(n <= m for n, m in zip(found, (MOST_OPERATIONS, MOST_BYTES, MOST_CHECKED))):
            break
    name = f"{family.__name__}_{index}"
    return {"name": name, "family": family.__name__, "index": index, "input": shape, "config": config}
