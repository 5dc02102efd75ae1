# SPDX-License-Identifier: Apache-2.0
"""Files that Hugging Face's safetensors writes."""

import numpy as np

from make.maker import FOLDER


def make():
    import safetensors
    from safetensors.numpy import save_file

    def count(shape, dtype):
        return np.arange(np.prod(shape), dtype=dtype).reshape(shape)

    weights = {"bias": count(3, "f4"), "kernel": count((3, 2, 2, 3), "f4")}
    save_file(weights, FOLDER / "safetensors_weights.safetensors")
    others = {
        "up.weight": count((2, 3, 3, 2), "f8"),  # PyTorch's order
        "up.bias": count(3, "f4"),
        "half": count(4, "f2"),
        "steps": count((), "i8"),
        "empty": np.zeros((0, 5), "f4"),
        'a "quoted" \\ name\n\u00e9\U0001f600': count(1, "f4"),
    }
    save_file(others, FOLDER / "safetensors_others.safetensors", {"format": "pt", "by": "a \u00e9"})
    print("safetensors", safetensors.__version__)
