# SPDX-License-Identifier: Apache-2.0
"""Random axes for the comparison: the shapes that have gone wrong somewhere come first."""


class Axis:
    """Filter, stride, dilation and extent; `reach` is the dilated filter, `full` the full result."""

    def __init__(self, k, s, d, i):
        self.k, self.s, self.d, self.i = k, s, d, i
        self.reach = (k - 1) * d + 1
        self.full = (i - 1) * s + self.reach


def random_axis(random, dilation=True):
    family = random.random()
    k, s, i = random.randint(1, 6), random.randint(1, 5), random.randint(1, 5)
    d = random.randint(1, 4) if dilation and random.random() < 0.5 else 1
    if family < 0.15:  # a stride above the filter
        k, d = random.randint(1, 3), 1
        s = k + random.randint(1, 3)
    elif family < 0.3:  # an odd excess of the filter over the stride
        s, d = random.randint(1, 4), 1
        k = s + random.choice((1, 3))
    elif family < 0.45 and dilation:  # dilation with stride
        d, s = random.randint(2, 4), random.randint(2, 4)
    elif family < 0.6:  # one element
        i = 1
    return Axis(k, s, d, i)


def random_axes(random, dilation=True, ranks=(1, 1, 1, 2, 2, 3)):
    rank = random.choice(ranks)
    return [random_axis(random, dilation) for _ in range(rank)]


def channels(random):
    """Input and output channels, mostly different, so that an exchange of the two shows."""
    return random.randint(1, 4), random.randint(1, 4)


def listed(axes, name):
    return [getattr(axis, name) for axis in axes]


def crops(random, axis, most):
    """(begin, end) of which something is left; sometimes each above the filter's own reach."""
    begin = random.randint(0, most)
    end = random.randint(0, most)
    if begin + end < axis.full:
        return begin, end
    begin = random.randint(0, axis.full - 1)
    return begin, random.randint(0, axis.full - 1 - begin)
