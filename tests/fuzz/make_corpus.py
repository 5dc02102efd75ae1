"""Writes the seeds of the fuzz targets: python3 tests/fuzz/make_corpus.py

Small, of every kind that the readers tell apart; what a fuzzer finds is added by hand. The golden
files are NumPy's own."""

import io
import pathlib
import struct

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus"
GOLDEN = FOLDER.parent.parent / "golden"


def write(target, name, data):
    path = FOLDER / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def npy(array, version=(1, 0)):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


def npz(compressed, **arrays):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def make_npy():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    write("npy", "float32", npy(values))
    write("npy", "float64_v2", npy(values.astype(np.float64), (2, 0)))
    write("npy", "big_endian_v3", npy(values.astype(">f4"), (3, 0)))
    write("npy", "fortran", npy(np.asfortranarray(values)))
    write("npy", "rank_0", npy(np.float32(3)[()] * np.ones(())))
    write("npy", "empty", npy(np.zeros((0, 4), np.float32)))
    write("npy", "int32", npy(values.astype(np.int32)))
    write("npy", "python_2", npy(values).replace(b"(2, 3), ", b"(2L,3L),"))


def make_npz():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    write("npz", "stored", npz(False, a=values, b=values[0]))
    write("npz", "deflated", npz(True, a=values, b=values[0]))
    write("npz", "empty", npz(False))
    for name in ("numpy_slash", "numpy_fortran", "tfp_weights_io"):
        write("npz", name, (GOLDEN / f"{name}.npz").read_bytes())


def safetensors(header, payload=b""):
    text = header.encode()
    return struct.pack("<Q", len(text)) + text + payload


def make_safetensors():
    one = '"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}'
    two = '"b":{"dtype":"F64","shape":[],"data_offsets":[24,32]}'
    write("safetensors", "one", safetensors("{" + one + "}", bytes(24)))
    write("safetensors", "two_padded", safetensors("{" + one + "," + two + "}   ", bytes(32)))
    write("safetensors", "metadata",
          safetensors('{"__metadata__":{"format":"pt","k":"\\u00e9"},' + one + "}", bytes(24)))
    write("safetensors", "integers", safetensors(
        '{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}', bytes(4)))
    write("safetensors", "empty", safetensors("{}"))
    write("safetensors", "overlap", safetensors(
        "{" + one + ',"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(24)))


def make_layer_json():
    plain = '"input_size": 3, "output_size": 4, "filter_shape": [3, 5]'
    texts = {
        "least": "{" + plain + "}",
        "every_key": "{" + plain + ', "rank": 2, "strides": [2, 1], "dilations": 2, "padding": '
                     '[[1, 2], [-1, 0]], "output_padding": [1, 0], "activation": {"name": "clamp", '
                     '"min": -1, "max": 6.5}, "name": "up", "dtype": "float64", "use_bias": false}',
        "entry": '{"name": "a", "source": "b", "input": [1, 8, 8, 3], "config": {' + plain + "}}",
        "list": '{"layers": [{' + plain + '}, {"config": {' + plain + "}}]}",
        "twice": "{" + plain + ', "rank": 2, "rank": 2}',
        "huge": "{" + plain + ', "strides": 5717580618211388939, "dilations": 1e3}',
    }
    for name, text in texts.items():
        write("layer_json", name, text.encode())


def make_numbers():
    random = np.random.default_rng(20261124)
    for n in range(12):
        write("shape", f"random_{n}", random.bytes(40 + 20 * n))
        # Small bytes make small layers and views that stay in place.
        write("call", f"random_{n}", bytes(random.integers(0, 60, 40 + 8 * n, np.uint8)))
    write("shape", "zeros", bytes(64))
    write("call", "zeros", bytes(64))
    write("shape", "ones", struct.pack("<24q", *[1] * 24))


make_npy()
make_npz()
make_safetensors()
make_layer_json()
make_numbers()
