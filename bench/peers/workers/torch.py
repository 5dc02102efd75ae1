"""PyTorch, eager: contiguous, channels_last, and oneDNN with weights packed beforehand."""

import torch
import torch.nn.functional as functional

from workers.common import THREADS, Refused, channels_first, channels_last, kernel_in_out, serve

torch.set_num_threads(THREADS)
torch.set_grad_enabled(False)
CALLS = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


class Geometry:
    """A symmetric padding, an output_padding, and a slice where both are not enough."""

    def __init__(self, problem):
        self.padding = problem.offsets
        extra = [o - e for o, e in zip(problem.offsets, problem.ends)]
        self.output_padding = [max(e, 0) for e in extra]
        for e, s, d in zip(extra, problem.strides, problem.dilations):
            if e >= max(s, d):
                raise Refused(f"output_padding would be {e}; it must be below {max(s, d)}")
        self.crop = None
        if min(extra) < 0:
            self.crop = (..., *(slice(0, n) for n in problem.lengths))

    def finish(self, y, activation):
        # A view, not a copy: PyTorch's cheapest way to say it.
        if self.crop is not None:
            y = y[self.crop]
        return activation(y) if activation else y


def activation_of(problem):
    return {None: None, "relu": torch.relu_, "tanh": torch.tanh_}[problem.activation]


def eager(problem, memory_format=torch.contiguous_format):
    geometry, activation = Geometry(problem), activation_of(problem)
    convolve, bias = CALLS[problem.rank], torch.from_numpy(problem.bias)
    x = torch.from_numpy(channels_first(problem.x)).contiguous(memory_format=memory_format)
    kernel = torch.from_numpy(kernel_in_out(problem)).contiguous(memory_format=memory_format)
    strides, dilations = problem.strides, problem.dilations

    def call():
        y = convolve(
            x, kernel, bias, strides, geometry.padding, geometry.output_padding, 1, dilations
        )
        return geometry.finish(y, activation)

    return call, lambda: channels_last(call().contiguous().numpy())


def packed(problem):
    """What torch.compile's freezing makes of the layer: oneDNN's own order of weights."""
    if problem.rank == 1:
        raise Refused("packed weights are for 2-D and 3-D")
    geometry, activation = Geometry(problem), activation_of(problem)
    mkldnn = torch.ops.mkldnn
    x = torch.from_numpy(channels_first(problem.x))
    x = x.contiguous(memory_format=CHANNELS_LAST[problem.rank])
    kernel = mkldnn._reorder_convolution_transpose_weight(
        torch.from_numpy(kernel_in_out(problem)),
        geometry.padding,
        geometry.output_padding,
        problem.strides,
        problem.dilations,
        1,
        list(x.shape),
    )
    bias = torch.from_numpy(problem.bias)
    convolve = mkldnn._convolution_transpose_pointwise

    def call():
        y = convolve(
            x,
            kernel,
            bias,
            geometry.padding,
            geometry.output_padding,
            problem.strides,
            problem.dilations,
            1,
            "none",
            [],
            "",
        )
        return geometry.finish(y, activation)

    return call, lambda: channels_last(call().contiguous().numpy())


class Torch:
    name = "PyTorch"
    version = torch.__version__.split("+")[0]

    def builders(self, problem):
        builders = {"contiguous": lambda: eager(problem), "packed": lambda: packed(problem)}
        if problem.rank in CHANNELS_LAST:
            builders["channels_last"] = lambda: eager(problem, CHANNELS_LAST[problem.rank])
        return builders

    def fresh(self, problem):
        return lambda other: eager(other)[0]


if __name__ == "__main__":
    serve(Torch)
