"""ncnn: one Deconvolution layer (1D, 2D or 3D), its model handed over in files."""

import pathlib
import tempfile

import ncnn
import numpy as np

from workers.common import THREADS, Refused, channels_first, crops, serve

KINDS = {1: "Deconvolution1D", 2: "Deconvolution", 3: "Deconvolution3D"}
#: Parameter ids, last axis first, of each property.
IDS = {
    "filters": (1, 11, 21),
    "dilations": (2, 12, 22),
    "strides": (3, 13, 23),
    "begins": (4, 14, 24),
    "ends": (15, 16, 17),
    "extra": (18, 19, 20),
}


def parameters_of(problem):
    begins, ends, extra = crops(problem)
    values = {
        "filters": problem.filters,
        "dilations": problem.dilations,
        "strides": problem.strides,
        "begins": begins,
        "ends": ends,
        "extra": extra,
    }
    found = {0: problem.output_size, 5: 1, 6: problem.kernel.size}
    for name, ids in IDS.items():
        found.update(zip(ids, reversed(values[name])))
    if problem.activation == "relu":
        found[9] = 1
    return " ".join(f"{n}={v}" for n, v in sorted(found.items()))


def net_of(problem):
    if problem.batch != 1:
        raise Refused("ncnn has no batch axis")
    tanh = problem.activation == "tanh"
    lines = [
        "7767517",
        f"{3 if tanh else 2} {3 if tanh else 2}",
        "Input input 0 1 x",
        f"{KINDS[problem.rank]} layer 1 1 x {'sum' if tanh else 'y'} {parameters_of(problem)}",
    ]
    if tanh:
        lines.append("TanH tanh 1 1 sum y")
    net = ncnn.Net()
    net.opt.num_threads = THREADS
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
        setattr(net.opt, "use_" + name, False)
    # [output_size, input_size, filter...]; a 0 in front says "float32".
    kernel = np.ascontiguousarray(np.moveaxis(problem.kernel, (-1, -2), (0, 1)))
    with tempfile.TemporaryDirectory() as folder:
        param, model = pathlib.Path(folder, "layer.param"), pathlib.Path(folder, "layer.bin")
        param.write_text("\n".join(lines) + "\n")
        model.write_bytes(bytes(4) + kernel.tobytes() + problem.bias.tobytes())
        if net.load_param(str(param)) or net.load_model(str(model)):
            raise Refused("ncnn could not load the layer")
    return net


def call_of(net, problem):
    values = channels_first(problem.x)[0]
    x = ncnn.Mat(values).clone()  # a Mat does not keep the array that it was made from

    def call():
        extractor = net.create_extractor()
        extractor.input("x", x)
        status, y = extractor.extract("y")
        if status:
            raise Refused(f"ncnn's extract returned {status}")
        return y

    return call


def build(problem):
    net = net_of(problem)
    call = call_of(net, problem)

    def fetch():
        y = call()
        return np.moveaxis(np.array(y), 0, -1)[None]

    return call, fetch


class Ncnn:
    name = "ncnn"
    version = ncnn.__version__

    def builders(self, problem):
        return {"chw": lambda: build(problem)}

    def fresh(self, problem):
        net = net_of(problem)
        return lambda other: call_of(net, other)


if __name__ == "__main__":
    serve(Ncnn)
