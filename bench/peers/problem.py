"""One layer of layers.json with an input shape: its geometry, its values, its result by definition.

Shared by the driver and the workers. Paddings are understood by tests/golden/reference.py alone.
"""

import itertools
import math
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"))
import reference  # noqa: E402


class Problem:
    """A layer, an input shape and, once they are made or read, x, kernel and bias."""

    def __init__(self, config, shape):
        self.config, self.shape = config, list(shape)
        self.rank = config.get("rank", 2)
        self.filters, self.strides, self.dilations, _ = reference.geometry(config)
        self.input_size, self.output_size = config["input_size"], config["output_size"]
        self.activation = reference.activation_name(config)
        self.batch, self.extents = shape[0], list(shape[1:-1])
        #: (length, offset) of the result in the full result, per axis.
        self.windows = [reference.window(config, a, i) for a, i in enumerate(self.extents)]
        self.lengths = [length for length, _ in self.windows]
        self.offsets = [offset for _, offset in self.windows]
        self.full = [
            reference.full_length(*v)
            for v in zip(self.extents, self.filters, self.strides, self.dilations)
        ]
        #: What is cut off at the end; negative where bias-only elements follow.
        self.ends = [f - o - n for f, (n, o) in zip(self.full, self.windows)]
        self.output_shape = [self.batch, *self.lengths, self.output_size]

    def with_extents(self, extents):
        """The same layer and weights on another input extent, x being zeros."""
        other = Problem(self.config, [self.batch, *extents, self.input_size])
        other.kernel, other.bias = self.kernel, self.bias
        other.x = np.zeros(other.shape, np.float32)
        return other

    def geometry(self):
        """The numbers, without our names for paddings."""
        return {
            "shape": self.shape,
            "output_shape": self.output_shape,
            "filters": self.filters,
            "strides": self.strides,
            "dilations": self.dilations,
            "begins": self.offsets,
            "ends": self.ends,
            "activation": self.activation,
        }

    def fill(self, seed=1):
        """Random values; sums have about the size of one."""
        random = np.random.default_rng(seed)
        taps = math.prod(self.filters) * self.input_size
        kernel_shape = (*self.filters, self.input_size, self.output_size)
        self.x = random.standard_normal(self.shape, np.float32)
        self.kernel = random.standard_normal(kernel_shape, np.float32) / np.float32(taps**0.5)
        self.bias = random.standard_normal(self.output_size, np.float32)

    def write(self, folder):
        """As raw float32 files, which every worker can read."""
        for name in ("x", "kernel", "bias"):
            getattr(self, name).tofile(pathlib.Path(folder, name + ".f32"))

    def read(self, folder):
        def load(name, shape):
            return np.fromfile(pathlib.Path(folder, name + ".f32"), np.float32).reshape(shape)

        self.x = load("x", self.shape)
        self.kernel = load("kernel", [*self.filters, self.input_size, self.output_size])
        self.bias = load("bias", [self.output_size])

    def expected(self, most_channels=None):
        """(some output channels, the result there by definition in double precision, the rounding
        error that float32 may have): all channels, or so many from the first to the last."""
        count = min(most_channels or self.output_size, self.output_size)
        channels = np.linspace(0, self.output_size - 1, count).astype(int)
        kernel, bias = self.kernel[..., channels], self.bias[channels].astype(np.float64)
        y = self._sum(self.x, kernel) + bias
        size = self._sum(np.abs(self.x), np.abs(kernel)) + np.abs(bias)
        y = reference.ACTIVATIONS[self.activation or "linear"](y, {})
        terms = math.prod(self.filters) * self.input_size + 16
        return channels, y, terms * np.finfo(np.float32).eps * (size + 1.0)

    def _sum(self, x, kernel):
        x, kernel = x.astype(np.float64), kernel.astype(np.float64)
        # Room for what the window takes beyond the full result.
        room = [max(f, n + o) for f, (n, o) in zip(self.full, self.windows)]
        full = np.zeros([self.batch, *room, kernel.shape[-1]])
        for tap in itertools.product(*map(range, self.filters)):
            at = tuple(
                slice(t * d, t * d + (i - 1) * s + 1, s)
                for t, d, s, i in zip(tap, self.dilations, self.strides, self.extents)
            )
            full[(slice(None), *at)] += x @ kernel[tap]
        return full[(slice(None), *(slice(o, o + n) for n, o in self.windows))]
