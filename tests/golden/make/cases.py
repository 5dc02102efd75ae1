# SPDX-License-Identifier: Apache-2.0
"""The problems that the peers are asked, and what a layer.json says of them.

One axis is (k, s, d, i): filter, stride, dilation, extent; a case takes `rank` of them.
"""

import reference

#: The axes that have gone wrong in one library or another, d = 1.
AXES = [
    (3, 2, 1, 5),  # odd k' - s
    (4, 2, 1, 4),  # the usual even one
    (5, 2, 1, 4),  # odd k' - s, three taps a side
    (2, 3, 1, 4),  # stride above filter: a gap
    (1, 3, 1, 3),  # one tap, gaps of two
    (5, 4, 1, 3),  # odd k' - s
    (4, 3, 1, 1),  # one element
    (7, 2, 1, 1),  # one element, wide filter
    (3, 5, 1, 2),  # stride above filter by two
    (1, 1, 1, 4),  # pointwise
    (6, 3, 1, 2),
    (2, 2, 1, 5),  # tiles exactly
    (3, 1, 1, 6),  # stride one
    (1, 4, 1, 1),  # one tap, one element
    (2, 1, 1, 1),  # even filter, one element
]
#: Dilation without stride (what Keras and TensorFlow take).
DILATED = [(3, 1, 2, 5), (2, 1, 3, 4), (4, 1, 2, 3), (3, 1, 3, 1), (2, 1, 2, 6), (1, 1, 4, 3)]
#: Dilation and stride together.
BOTH = [
    (3, 2, 2, 4),
    (2, 3, 2, 3),
    (3, 2, 3, 3),
    (4, 3, 2, 2),
    (2, 2, 3, 1),
    (3, 3, 3, 3),
    (2, 5, 2, 3),
    (5, 2, 2, 2),
    (3, 4, 3, 2),
    (1, 3, 4, 3),
]


def config_of(axes, padding, cin, cout, op=None, activation=None, dtype="float32"):
    """A layer.json without what is the default (None is dropped later)."""
    dilations = [a[2] for a in axes]
    return {
        "input_size": cin,
        "output_size": cout,
        "rank": len(axes),
        "filter_shape": [a[0] for a in axes],
        "strides": [a[1] for a in axes],
        "dilations": None if max(dilations) == 1 else dilations,
        "padding": padding,
        "output_padding": None if op is None else list(op),
        "activation": activation,
        "dtype": None if dtype == "float32" else dtype,
    }


def explicit(axes, lengths, offsets, op=None):
    """[begin, end] pairs that make the window (length, offset) with this output_padding."""
    extra = op or [0] * len(axes)
    return [
        [b, reference.full_length(i, k, s, d) + e - n - b]
        for (k, s, d, i), n, b, e in zip(axes, lengths, offsets, extra)
    ]


def extents(axes):
    return tuple(a[3] for a in axes)


def pick(source, rank, start, step=1):
    return [source[(start + q * step) % len(source)] for q in range(rank)]


def same_length(axes):
    return [i * s for _, s, _, i in axes]
