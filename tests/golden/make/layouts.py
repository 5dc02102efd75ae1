# SPDX-License-Identifier: Apache-2.0
"""Channels first, as PyTorch and ONNX have them, and last, as the library does."""

import numpy as np


def channels_first(v):
    return np.ascontiguousarray(np.moveaxis(v, -1, 1))


def channels_last(v):
    return np.moveaxis(v, 1, -1)


def to_torch_kernel(k):
    return np.ascontiguousarray(np.moveaxis(k, (-2, -1), (0, 1)))
