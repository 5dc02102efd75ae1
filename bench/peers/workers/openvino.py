"""OpenVINO: one ConvolutionBackpropData on the CPU plugin, tensors set beforehand."""

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from workers.common import THREADS, channels_first, channels_last, crops, kernel_in_out, serve

CORE = ov.Core()
SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_NUM_THREADS": THREADS,
    "NUM_STREAMS": "1",
    "INFERENCE_PRECISION_HINT": "f32",
    "ENABLE_CPU_PINNING": False,  # the driver pins
}


def model_of(problem, extents):
    begins, ends, extra = crops(problem)
    x = ops.parameter(ov.PartialShape([problem.batch, problem.input_size, *extents]), np.float32)
    y = ops.convolution_backprop_data(
        x,
        ops.constant(kernel_in_out(problem)),
        strides=problem.strides,
        pads_begin=begins,
        pads_end=ends,
        dilations=problem.dilations,
        output_padding=extra,
    )
    bias = problem.bias.reshape(1, -1, *[1] * problem.rank)
    y = ops.add(y, ops.constant(bias))
    if problem.activation:
        y = {"relu": ops.relu, "tanh": ops.tanh}[problem.activation](y)
    return ov.Model([ops.result(y)], [x])


def request_of(problem, layout):
    model = model_of(problem, problem.extents)
    if layout == "nhwc":
        first, last = "NC" + "DHW"[-problem.rank :], "N" + "DHW"[-problem.rank :] + "C"
        steps = ov.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_layout(ov.Layout(last))
        steps.input().model().set_layout(ov.Layout(first))
        steps.output().tensor().set_layout(ov.Layout(last))
        steps.output().model().set_layout(ov.Layout(first))
        model = steps.build()
    request = CORE.compile_model(model, "CPU", SETTINGS).create_infer_request()
    x = problem.x if layout == "nhwc" else channels_first(problem.x)
    request.set_input_tensor(ov.Tensor(x))

    def fetch():
        y = request.get_output_tensor().data.copy()
        return y if layout == "nhwc" else channels_last(y)

    return request.infer, fetch


class OpenVino:
    name = "OpenVINO"
    version = ov.__version__.split("-")[0]

    def builders(self, problem):
        return {a: (lambda a=a: request_of(problem, a)) for a in ("nchw", "nhwc")}

    def fresh(self, problem):
        model = model_of(problem, [-1] * problem.rank)
        request = CORE.compile_model(model, "CPU", SETTINGS).create_infer_request()

        def make(other):
            x = ov.Tensor(channels_first(other.x))

            def call():
                request.set_input_tensor(x)
                request.infer()

            return call

        return make


if __name__ == "__main__":
    serve(OpenVino)
