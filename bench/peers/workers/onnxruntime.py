"""ONNX Runtime: a model of one ConvTranspose (and the activation), tensors bound beforehand."""

import onnx
import onnxruntime as ort

from workers.common import THREADS, channels_first, channels_last, crops, kernel_in_out, serve

OPERATORS = {"relu": "Relu", "tanh": "Tanh"}
OPSET = 22


def model_of(problem, dynamic):
    begins, ends, extra = crops(problem)
    made = onnx.helper
    nodes = [
        made.make_node(
            "ConvTranspose",
            ["x", "kernel", "bias"],
            ["sum" if problem.activation else "y"],
            kernel_shape=problem.filters,
            strides=problem.strides,
            dilations=problem.dilations,
            pads=[*begins, *ends],
            output_padding=extra,
        )
    ]
    if problem.activation:
        nodes.append(made.make_node(OPERATORS[problem.activation], ["sum"], ["y"]))

    def tensor(name, channels, extents):
        if dynamic:
            extents = [f"{name}{axis}" for axis in range(problem.rank)]
        shape = [problem.batch, channels, *extents]
        return made.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    graph = made.make_graph(
        nodes,
        "layer",
        [tensor("x", problem.input_size, problem.extents)],
        [tensor("y", problem.output_size, problem.lengths)],
        [
            onnx.numpy_helper.from_array(kernel_in_out(problem), "kernel"),
            onnx.numpy_helper.from_array(problem.bias, "bias"),
        ],
    )
    return made.make_model(graph, opset_imports=[made.make_opsetid("", OPSET)], ir_version=10)


def session_of(problem, dynamic=False):
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    model = model_of(problem, dynamic).SerializeToString()
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def bind(session, problem):
    x = ort.OrtValue.ortvalue_from_numpy(channels_first(problem.x))
    shape = [problem.batch, problem.output_size, *problem.lengths]
    y = ort.OrtValue.ortvalue_from_shape_and_type(shape, "float32")
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", x)
    binding.bind_ortvalue_output("y", y)
    return (lambda: session.run_with_iobinding(binding)), lambda: channels_last(y.numpy())


class OnnxRuntime:
    name = "ONNX Runtime"
    version = ort.__version__

    def builders(self, problem):
        return {"nchw": lambda: bind(session_of(problem), problem)}

    def fresh(self, problem):
        session = session_of(problem, dynamic=True)
        return lambda other: bind(session, other)[0]


if __name__ == "__main__":
    serve(OnnxRuntime)
