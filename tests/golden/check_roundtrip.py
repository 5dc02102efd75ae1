#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks files across the border between this project and NumPy, and on request TFP 0.25.

    python3 check_roundtrip.py --cli build/bin/upconv          # golden cases and NumPy's files
    python3 check_roundtrip.py --saved w.npz --config layer.json [--tfp]

--cli    runs `upconv apply` on golden cases: NumPy must read the result and find the peer's values;
         then on numpy_files.json: what is marked accept must run, what is marked refuse must not.
--saved  a weights file that this project saved: NumPy must find the bias as arr_0 and the kernel as
         arr_1, of rank + 2 axes or, for TFP 0.25, of 2.
--tfp    TFP 0.25 itself loads that file (2-D kernel, rank 2) and must compute the reference's values.

Needs NumPy alone, except for --tfp. Exit status 1 if anything differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import reference

HERE = os.path.dirname(os.path.abspath(__file__))
#: The layer whose weights the numpy_*.npz files hold, and the one that takes a (2, 3, 4) input.
NPZ_CONFIG = {"input_size": 2, "output_size": 3, "filter_shape": [3, 2], "strides": 2}
NPY_CONFIG = {"input_size": 4, "output_size": 1, "filter_shape": 1, "rank": 1}


class Checker:
    def __init__(self, cli):
        self.cli, self.done, self.failed = cli, 0, 0

    def check(self, name, ok, why=""):
        self.done += 1
        if not ok:
            self.failed += 1
            print(f"FAILED {name}: {why}")

    def apply(self, folder, config, weights, x):
        """(exit status, standard error, the path of the result)"""
        path = lambda n: os.path.join(folder, n)
        with open(path("layer.json"), "w", encoding="utf-8") as f:
            json.dump(config, f)
        if os.path.exists(path("y.npy")):
            os.remove(path("y.npy"))
        a = ["--config", path("layer.json"), "--weights", weights, "--input", x]
        p = subprocess.run(
            [self.cli, "apply", *a, "--output", path("y.npy")],
            capture_output=True,
            text=True,
            check=False,
        )
        return p.returncode, p.stderr.strip(), path("y.npy")

    def golden(self, folder, every):
        for peer in reference.PEERS:
            for q, (e, x, kernel, bias, y) in enumerate(reference.load_cases(HERE, peer)):
                if q % every:
                    continue
                w, xp = os.path.join(folder, "w.npz"), os.path.join(folder, "x.npy")
                np.savez(w, *([] if bias is None else [bias]), kernel)
                np.save(xp, x)
                status, error, out = self.apply(folder, e["config"], w, xp)
                if status:
                    self.check(e["name"], False, f"exit {status} {error}")
                    continue
                with open(out, "rb") as f:
                    version = np.lib.format.read_magic(f)
                got = np.load(out)
                why = reference.difference(e["config"], x, kernel, bias, got, e["exact"])
                self.check(e["name"], why is None, why)
                self.check(e["name"] + " against the peer", got.shape == y.shape, got.shape)
                self.check(
                    e["name"] + " file", got.flags.c_contiguous and version == (1, 0), version
                )

    def numpy_files(self, folder):
        with open(os.path.join(HERE, "numpy_files.json"), encoding="utf-8") as f:
            entries = json.load(f)
        x, w = os.path.join(folder, "x.npy"), os.path.join(folder, "w.npz")
        np.save(x, np.ones((1, 2, 2, 2), np.float32))
        np.savez(w, np.zeros(1, np.float32), np.ones((1, 4, 1), np.float32))
        for e in entries:
            path = os.path.join(HERE, e["file"])
            shape = e["arrays"][0]["shape"] if e["arrays"] else None
            if e["file"].endswith(".npz"):
                more = {"use_bias": False} if e["expect"] == "accept_without_bias" else {}
                status, error, out = self.apply(folder, {**NPZ_CONFIG, **more}, path, x)
            elif shape == [2, 3, 4] or e["expect"] == "refuse":
                status, error, out = self.apply(folder, NPY_CONFIG, w, path)
            else:
                continue  # not a layer's input: the reader's own tests take it
            if e["expect"] == "refuse":
                one_line = error.startswith("upconv: error: ") and "\n" not in error
                self.check(e["file"], status in (1, 2) and one_line, f"exit {status} {error!r}")
            elif e["expect"].startswith("accept") and "refuse" not in e["expect"]:
                self.check(e["file"], status == 0, f"exit {status} {error!r}")
            if status == 0 and shape == [2, 3, 4] and e["expect"] != "refuse":
                want = np.load(path).astype(np.float64).sum(-1, keepdims=True)
                self.check(e["file"] + " values", np.array_equal(np.load(out), want), np.load(out))


def saved(c, path, config_path, with_tfp):
    with open(config_path, encoding="utf-8") as f:
        config = json.load(f)
    config = config.get("config", config)
    filters, strides, dilations, _ = reference.geometry(config)
    cin, cout = config["input_size"], config["output_size"]
    dtype = np.dtype(config.get("dtype", "float32"))
    flat, deep = (int(np.prod(filters)) * cin, cout), (*filters, cin, cout)
    with np.load(path) as z:
        names = z.files
        arrays = [z[n] for n in names]
    no_bias = config.get("use_bias") is False
    c.check("names", names == (["arr_0"] if no_bias else ["arr_0", "arr_1"]), names)
    kernel, bias = arrays[-1], None if no_bias else arrays[0]
    c.check("kernel shape", kernel.shape in (flat, deep), f"{kernel.shape}, not {deep} or {flat}")
    c.check("bias shape", no_bias or bias.shape == (cout,), "")
    c.check("dtype", all(a.dtype == dtype for a in arrays), [a.dtype for a in arrays])
    if not with_tfp or c.failed:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf
    import tensorflow_probability as tfp

    layer = tfp.experimental.nn.ConvolutionTranspose(
        cin,
        cout,
        tuple(filters),
        strides=strides[0] if len(set(strides)) == 1 else tuple(strides),
        dilations=tuple(dilations),
        padding=config.get("padding", "valid"),
        dtype=getattr(tf, dtype.name),
    )
    layer.load(path)
    x = np.random.default_rng(1).integers(-3, 4, (2, 4, 3, cin)).astype(dtype)
    plain = {n: v for n, v in config.items() if n != "activation"}
    y = layer(x).numpy()
    why = reference.difference(plain, x, kernel.reshape(deep), bias, y, False)
    c.check("TFP's values", why is None, why)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--cli", help="the upconv binary")
    p.add_argument("--every", type=int, default=1, help="of the golden cases, take every n-th")
    p.add_argument("--saved", help="a weights file that this project saved")
    p.add_argument("--config", help="the layer.json of --saved")
    p.add_argument("--tfp", action="store_true", help="load --saved with TFP 0.25, too")
    a = p.parse_args()
    if not a.cli and not a.saved:
        p.error("one of --cli and --saved is needed")
    if a.saved and not a.config:
        p.error("--saved needs --config")
    c = Checker(os.path.abspath(a.cli) if a.cli else None)
    with tempfile.TemporaryDirectory() as folder:
        if a.cli:
            c.golden(folder, a.every)
            c.numpy_files(folder)
        if a.saved:
            saved(c, a.saved, a.config, a.tfp)
    print(f"{c.done - c.failed} of {c.done} checks hold")
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
