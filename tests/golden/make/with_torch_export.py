# SPDX-License-Identifier: Apache-2.0
"""ONNX models that PyTorch's own exporter writes, with an input and PyTorch's result of each."""

import numpy as np

from make.layouts import channels_last
from make.maker import FOLDER, SEED


def make():
    import torch

    class Up(torch.nn.Module):
        def __init__(self, up, act):
            super().__init__()
            self.up, self.act = up, act

        def forward(self, x):
            return self.act(self.up(x))

    models = {
        "2d": (Up(torch.nn.ConvTranspose2d(3, 4, (4, 3), stride=(2, 3), padding=(1, 0),
                                           output_padding=(0, 1), dilation=(1, 2)),
                  torch.nn.LeakyReLU(0.1)), (2, 3, 5, 4)),
        "1d": (Up(torch.nn.ConvTranspose1d(2, 5, 3, stride=2, bias=False), torch.nn.ReLU()),
               (1, 2, 6)),
    }
    random = np.random.default_rng(SEED)
    arrays = {}
    for name, (model, shape) in models.items():
        # Integers, so that every order of summation gives the same result.
        for parameter in model.parameters():
            parameter.data = torch.from_numpy(
                random.integers(-3, 4, tuple(parameter.shape)).astype("f4"))
        x = random.integers(-3, 4, shape).astype("f4")
        # The exporter that needs no other package; the file's form is the same ONNX.
        torch.onnx.export(model.eval(), (torch.from_numpy(x),), FOLDER / f"torch_export_{name}.onnx",
                          dynamo=False, input_names=["x"], output_names=["y"])
        with torch.no_grad():
            y = model(torch.from_numpy(x)).numpy()
        arrays[f"x_{name}"], arrays[f"y_{name}"] = channels_last(x), channels_last(y)
    np.savez_compressed(FOLDER / "torch_export.npz", **arrays)
    print("torch", torch.__version__)
