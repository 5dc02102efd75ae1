# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's own operators, with an output_shape."""

from axes import channels, crops, listed, random_axes

ORDER = "filter_out_in"


def generate(random):
    axes = random_axes(random)
    rank = len(axes)
    cin, cout = channels(random)
    padding = random.choice(("VALID", "SAME", "SAME", "EXPLICIT" if rank == 2 else "VALID"))
    pairs = [(0, 0)] * rank
    if padding == "EXPLICIT":
        pairs = [crops(random, a, a.reach + 1) for a in axes]
    first = [1 + (a.i - 1) * a.s if padding == "SAME" else a.full - b - e
             for a, (b, e) in zip(axes, pairs)]
    lengths = [n + random.randint(0, a.s - 1) for n, a in zip(first, axes)]
    terms = {
        "filters": [*listed(axes, "k"), cout, cin],
        "strides": listed(axes, "s"),
        "padding": padding,
        "dilations": listed(axes, "d"),
    }
    if padding == "EXPLICIT":
        terms["explicit_paddings"] = [[0, 0], *map(list, pairs), [0, 0]]
    if random.random() < 0.5:
        terms["output_shape"] = [1, *lengths, cout]
    else:
        terms["output_lengths"] = lengths
    if random.random() < 0.2:
        terms["strides"] = [1, *terms["strides"], 1]
    return terms, axes


def for_batch(terms, batch):
    """An output_shape holds the batch, too."""
    shape = terms.get("output_shape")
    return {"output_shape": [batch, *shape[1:]]} if shape else {}


def sizes(terms):
    return terms["filters"][-1], terms["filters"][-2], False


def lengths_of(terms):
    return terms.get("output_lengths") or terms["output_shape"][1:-1]


def windows(terms, axes):
    found = []
    for n, (a, length) in enumerate(zip(axes, lengths_of(terms))):
        if terms["padding"] == "SAME":
            offset = max(a.full - length, 0) // 2
        else:
            offset = terms["explicit_paddings"][1 + n][0] if "explicit_paddings" in terms else 0
        found.append((length, offset))
    return found


def call(terms, x, kernel, bias):
    import tensorflow as tf

    rank = kernel.ndim - 2
    padding = terms.get("explicit_paddings") or terms["padding"]
    shape = [len(x), *lengths_of(terms), kernel.shape[-2]]
    more = {"dilations": terms["dilations"]} if max(terms["dilations"]) > 1 else {}
    function = getattr(tf.nn, f"conv{rank}d_transpose")
    return function(x, kernel, shape, terms["strides"], padding=padding, **more).numpy()
