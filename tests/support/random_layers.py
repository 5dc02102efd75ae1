"""Random layers in the words of layer.json, for tests of the tools."""


def random_layer(random, most, output_sizes, empty=False):
    """(config, spatial extents below `most`) of one layer, of any rank and dtype.

    empty: its output may have no elements."""
    def pick(*values):
        return values[random.integers(len(values))]

    rank = pick(1, 2, 2, 3)
    filters = [int(n) for n in random.integers(1, 6, rank)]
    strides = [int(n) for n in random.integers(1, 5, rank)]
    dilations = [pick(1, 1, 2, 3) for _ in range(rank)]
    extents = tuple(int(n) for n in random.integers(1, most if rank < 3 else (most + 1) // 2, rank))
    config = {"rank": rank, "input_size": pick(1, 3, 8, 21), "name": "layer",
              "output_size": pick(*output_sizes), "filter_shape": filters,
              "strides": strides, "dilations": dilations}
    config["padding"] = random_padding(random, extents, filters, strides, dilations, empty)
    if random.random() < 0.4:
        config["output_padding"] = [int(random.integers(s)) for s in strides]
    config |= random_options(random, None, "relu", "relu6", "gelu", "tanh", "silu", "elu",
                             {"name": "leaky_relu", "alpha": 0.1},
                             {"name": "clamp", "min": -0.5, "max": 0.75})
    return config, extents


def random_options(random, *activations):
    """What a layer may have besides its geometry: one of the activations, another dtype, no bias."""
    options = {}
    activation = activations[random.integers(len(activations))]
    if activation is not None:
        options["activation"] = activation
    if random.random() < 0.3:
        options["dtype"] = "float64"
    if random.random() < 0.2:
        options["use_bias"] = False
    return options


def random_padding(random, extents, filters, strides, dilations, empty=False):
    """A word, or crops, some of them negative, that leave an output (or, where it may be empty, none)."""
    word = ("valid", "Same", None)[random.integers(3)]
    if word is not None:
        return word
    crops = []
    for i, k, s, d in zip(extents, filters, strides, dilations):
        full = (i - 1) * s + (k - 1) * d + 1
        pair = [int(n) for n in random.integers(-2, (k - 1) * d + 1, 2)]
        crops.append(pair if sum(pair) < full + empty else [0, 0])
    return crops
