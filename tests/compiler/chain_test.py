"""Layers that run one after the other, as the one function that upconvc makes of them: bit by bit what
the layers give one by one.

    python3 tests/compiler/chain_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import json

import numpy as np

from support import BASE, FLAGS, LOAD, SEED, CompilerTest, Tools, main, run, runnable_isas

# Runs net_run, and the layers one by one, on the same input, between guards. Of one layer's extents
# the height is an argument, or none is.
PROGRAM = LOAD + r"""
#include "net.h"
enum { GUARD = 4096, X = %(x)d, Y = %(y)d };
int main(void) {
  const float *x = load("x.raw", X);
  const size_t bytes = (size_t)(%(scratch)s);
  unsigned char *scratch = malloc(bytes + GUARD), *y = malloc(Y + GUARD);
  int32_t status;
  FILE *out;
  int n;
  memset(scratch, 0x5A, bytes + GUARD);
  memset(y, 0x5A, Y + GUARD);
%(pack)s
  status = net_run(%(packed)sx, %(height)s(float *)y, scratch);
  for (n = 0; n < GUARD; ++n) {
    if (scratch[bytes + (size_t)n] != 0x5A || y[Y + n] != 0x5A) return 71;
  }
  if (status != 0) {
    for (n = 0; n < Y; ++n) {
      if (y[n] != 0x5A) return 72;
    }
    fprintf(stderr, "%%s\n", net_error_text(status));
    return status;
  }
  out = fopen("y.raw", "wb");
  return out != NULL && fwrite(y, Y, 1, out) == 1 && fclose(out) == 0 ? 0 : 73;
}
"""

LAYERS = [
    dict(BASE, padding="valid", activation="relu"),
    dict(BASE, input_size=4, output_size=17, filter_shape=[2, 3], strides=[1, 2], use_bias=False,
         padding="valid"),
    dict(BASE, input_size=17, output_size=2, filter_shape=[3, 3], strides=[1, 1],
         padding=[[1, 1], [2, 0]], activation="tanh"),
]
# Extents 5 x 4 of 2 images.
X_SHAPE, Y_SHAPE = (2, 5, 4, 3), (2, 12, 19, 2)


class Chain(CompilerTest):
    y_shape = Y_SHAPE

    def write_model(self, layers=None, arithmetic="direct"):
        random = np.random.default_rng(SEED)
        layers = [dict(layer, arithmetic=arithmetic, name=f"layer{n}")
                  for n, layer in enumerate(layers or LAYERS)]
        arrays, self.kernels = [], []
        for layer in layers:
            shape = [*layer["filter_shape"], layer["input_size"], layer["output_size"]]
            kernel = random.standard_normal(shape).astype("f4")
            bias = random.standard_normal(layer["output_size"]).astype("f4")
            arrays += [bias, kernel] if layer.get("use_bias", True) else [kernel]
            self.kernels.append((kernel, bias if layer.get("use_bias", True) else None))
        (self.folder / "model.json").write_text(json.dumps({"layers": layers}))
        np.savez(self.folder / "w.npz", *arrays)
        self.x = random.standard_normal(X_SHAPE).astype("f4")
        self.x.tofile(self.folder / "x.raw")
        np.save(self.folder / "x.npy", self.x)

    def compile_model(self, target, *more):
        self.check(Tools.upconvc, "model.json", "--target", target, "--name", "net", "-o", "out",
                   *more)
        return self.folder / "out" / target

    def build_program(self, prefix, constant, height=None):
        values = {"x": self.x.nbytes, "y": int(np.prod(self.y_shape)) * 4, "pack": "", "packed": "",
                  "height": "" if height is None else f"{height}, ",
                  "scratch": "NET_SCRATCH_BYTES" if height is None
                             else f"net_scratch_bytes({height})"}
        if not constant:
            arguments = []
            for n, (kernel, bias) in enumerate(self.kernels):
                for name, array in (("kernel", kernel), ("bias", bias)):
                    if array is not None:
                        array.tofile(self.folder / f"{name}_{n}.raw")
                        arguments.append(f'load("{name}_{n}.raw", {array.nbytes})')
            values["packed"] = "packed, "
            values["pack"] = (f"  float *packed = malloc(NET_PACKED_BYTES);\n"
                              f"  if (net_pack({', '.join(arguments)}, packed) != 0) return 74;")
        (self.folder / "main.c").write_text(PROGRAM % values)
        # The one library has all layers.
        self.check(Tools.cc, "-std=gnu11", *FLAGS, "main.c", f"-I{prefix}/include",
                   f"-L{prefix}/lib", "-lnet", "-o", "main")

    def check_y(self, isa, tolerance=0):
        self.check(Tools.upconv, "apply", "--config", "model.json", "--weights", "w.npz", "--input",
                   "x.npy", "--output", "y.npy", "--isa", isa)
        y = np.fromfile(self.folder / "y.raw", "f4").reshape(self.y_shape)
        np.testing.assert_allclose(y, np.load(self.folder / "y.npy"), rtol=0, atol=tolerance)
        (self.folder / "y.raw").unlink()

    def test_values(self):
        self.write_model()
        best = runnable_isas()[-1]
        for target, isa in (("sse41", "sse41"), (best, best)):
            for constant in (False, True):
                for height in (None, X_SHAPE[1]):
                    with self.subTest(target=target, constant=constant, height=height):
                        shape = "2,5,4,3" if height is None else "2,?,4,3"
                        weights = ["--weights", "w.npz"] if constant else []
                        prefix = self.compile_model(target, "--input-shape", shape, *weights)
                        self.build_program(prefix, constant, height)
                        self.check("./main")
                        self.check_y(isa)
                        manifest = json.loads((prefix / "share/net.json").read_text())
                        self.assertEqual(manifest["layers"], ["net_0", "net_1", "net_2"])
                        self.assertEqual(manifest["scratch_bytes"] is None, height is not None)

    def test_a_layer_with_transforms(self):
        """Its scratch is beside what is between the layers."""
        self.write_model([dict(BASE, output_size=64, padding="valid"),
                          dict(BASE, input_size=64, output_size=64, filter_shape=[4, 4]),
                          dict(BASE, input_size=64, output_size=2, filter_shape=[1, 1],
                               strides=[1, 1])], "fast")
        best = runnable_isas()[-1]
        self.check(Tools.upconv, "apply", "--config", "model.json", "--weights", "w.npz", "--input",
                   "x.npy", "--output", "y.npy", "--isa", best)
        y = np.load(self.folder / "y.npy")
        self.y_shape = y.shape
        for constant in (False, True):
            with self.subTest(constant=constant):
                weights = ["--weights", "w.npz"] if constant else []
                prefix = self.compile_model(best, "--input-shape", "2,5,4,3", *weights)
                manifest = json.loads((prefix / "share/net_1.json").read_text())
                self.assertEqual(manifest["strategy"], "winograd")
                self.build_program(prefix, constant)
                self.check("./main")
                self.check_y(best, 1e-5 * float(np.abs(y).max()))

    def test_library_that_chooses(self):
        self.write_model()
        isas = [isa for isa in ("sse41", "avx2", "avx512") if isa in runnable_isas()]
        if len(isas) < 2:
            self.skipTest("this machine has one instruction set")
        prefix = self.compile_model("+".join(isas[-2:]), "--weights", "w.npz", "--input-shape",
                                    "2,5,4,3")
        self.build_program(prefix, True)
        self.check("./main")
        self.check_y(isas[-1])

    def test_bad_extents_write_nothing(self):
        """Also where only what a later layer leaves is too large: scratch is for no extents then."""
        self.write_model()
        prefix = self.compile_model("sse41", "--weights", "w.npz", "--input-shape", "2,?,4,3")
        for height, status in ((0, 1), (-3, 1), (2000000, 2), (2147483647, 2)):
            with self.subTest(height=height):
                self.build_program(prefix, True, height)
                result = run("./main", cwd=self.folder)
                self.assertEqual(result.returncode, status, result)
                self.assertIn("net_run: ", result.stderr)

    def test_cxx(self):
        self.write_model()
        prefix = self.compile_model("sse41", "--input-shape", "2,?,4,3")
        (self.folder / "main.cpp").write_text(r"""
#include <cstdio>
#include "net.hpp"
int main() {
  const std::vector<float> ones(1000, 1), x(2 * 5 * 4 * 3, 1);
  std::vector<float> y(2 * 12 * 19 * 2);
  const net::Layer layer(ones.data(), ones.data(), ones.data(), ones.data(), ones.data());
  layer(x.data(), 5, y.data());
  try {
    layer(x.data(), -1, y.data());
  } catch (const std::invalid_argument& error) {
    std::printf("%g %s", static_cast<double>(y[60]), error.what());
  }
}
""")
        self.check(Tools.cxx, "-std=c++17", *FLAGS, "main.cpp", f"-I{prefix}/include",
                   f"-L{prefix}/lib", "-lnet", "-o", "main")
        self.assertTrue(self.check("./main").stdout.startswith("1 net_run: an extent"))

    def test_layers_that_do_not_fit(self):
        for change, words in (({"input_size": 5}, "input_size is 5; it must be the other's "
                                                  "output_size, 4"),
                              ({"dtype": "float64"}, "dtype is float64; it must be the other's "
                                                     "dtype, float32"),
                              ({"rank": 1, "filter_shape": [3], "strides": [2]},
                               "rank is 1; it must be the other's rank, 2")):
            with self.subTest(change=change):
                layers = [dict(BASE, name="up1"), {**BASE, "input_size": 4, "name": "up2", **change}]
                (self.folder / "model.json").write_text(json.dumps({"layers": layers}))
                result = run(Tools.upconvc, "model.json", "--target", "sse41", "--name", "net",
                             "-o", "out", cwd=self.folder)
                self.assertEqual(result.returncode, 2, result)
                self.assertIn('"up2" cannot follow ConvolutionTranspose "up1": its ' + words,
                              result.stderr)
                self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    main()
