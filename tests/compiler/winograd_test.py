"""Layers that upconvc compiles with transforms: within what fast arithmetic promises, on every
instruction set of this machine, with constant weights and packed ones.

    python3 tests/compiler/winograd_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import json
import pathlib

import numpy as np

from support import (FLAGS, LOAD, SEED, CompilerTest, Tools, main, need, random_options,
                     random_padding, reference, run, runnable_isas)

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = 9
# docs/accuracy.md: root mean square errors stay below so many times those of direct sums, over
# outputs that see the whole filter.
MOST_GROWTH = 4
BASE = {"rank": 2, "input_size": 32, "output_size": 24, "filter_shape": [4, 4], "strides": [2, 2],
        "padding": "same", "name": "layer"}


def root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def whole_outputs(config, extents):
    """Which outputs see all the taps of their phases, by position: others are sums of fewer terms
    where they are direct, but not where they are a part of a tile."""
    filters, strides, dilations, _ = reference.geometry(config)
    whole = np.ones((), bool)
    for axis, (i, k, s, d) in enumerate(zip(extents, filters, strides, dilations)):
        length, offset = reference.window(config, axis, i)
        reach = (np.arange(length) + offset)[:, None] - d * np.arange(k)
        exists = (reach % s != 0) | ((reach >= 0) & (reach < i * s))
        whole = whole[..., None] & exists.all(axis=1)
    return whole


def saturates(config):
    """Most outputs of large sums are at a bound, without an error."""
    activation = config.get("activation")
    name = activation["name"] if isinstance(activation, dict) else activation
    return name in ("tanh", "clamp")


class WinogradTest(CompilerTest):
    def write_layer(self, config, kernel=None, bias=None):
        super().write_layer({"arithmetic": "fast", **config}, kernel, bias)

    def assert_same_as_library(self, config, x, kernel, bias, y, isa):
        """Near the definition, and as near as transforms must be beside direct sums."""
        self.assertIsNone(reference.difference(config, x, kernel, bias, y, exact=False))
        np.save(self.folder / "x.npy", x)
        (self.folder / "direct.json").write_text(json.dumps(dict(config, arithmetic="direct")))
        self.check(Tools.upconv, "apply", "--config", "direct.json", "--weights", "w.npz", "--input",
                   "x.npy", "--output", "y.npy", "--isa", isa)
        want = reference.conv_transpose(config, x, kernel, bias)
        whole = whole_outputs(config, x.shape[1:-1])
        if saturates(config) or want[:, whole].size < 1000:
            return  # an error of a few values
        direct = root_mean_square((np.load(self.folder / "y.npy") - want)[:, whole])
        if direct > 0:
            self.assertLess(root_mean_square((y - want)[:, whole]), MOST_GROWTH * direct)

    def check_winograd(self, random, config, shape, isa, constant, known=None, other=None):
        """@param other (target, compiler, what runs its programs) in the place of isa's own"""
        target, compiler, runner = other or (isa, None, [])
        if saturates(config):  # its sums are looked at without
            self.check_winograd(random, dict(config, activation=None), shape, isa, constant, known,
                                other)
        x, kernel, bias = self.write_case(random, config, shape)
        known = known or [str(n) for n in shape[:-1]]
        self.compile_layer(*(["--weights", "w.npz"] if constant else []), "--strategy", "winograd",
                           "--input-shape", ",".join([*known, str(shape[-1])]), targets=[target])
        self.assertEqual(self.manifest(target)["strategy"], "winograd")
        y_shape = reference.conv_transpose(config, x, kernel, bias).shape
        free = [n for n, word in zip(shape, known) if word == "?"]
        self.build(f"out/{target}", config, x, y_shape, constant, free, compiler)
        self.check(*runner, "./main")
        y = np.fromfile(self.folder / "y.raw", x.dtype).reshape(y_shape)
        self.assert_same_as_library(config, x, kernel, bias, y, isa)


class Values(WinogradTest):
    @staticmethod
    def random_layer(random):
        """A layer that has transforms: all phases have taps, none more than 4, one more than 1."""
        def pick(*values):
            return values[random.integers(len(values))]

        rank = pick(1, 2, 2, 2, 3)
        strides = [pick(1, 2, 2, 3) for _ in range(rank)]
        filters = [int(random.integers(s, (4 if rank < 3 else 3) * s + 1)) for s in strides]
        axis = int(random.integers(rank))
        filters[axis] = max(filters[axis], strides[axis] + 1)
        # Those with which every phase has a tap.
        dilations = [pick(1, 1, *(d for d in (2, 3) if np.gcd(s, d) == 1)) for s in strides]
        extents = [int(n) for n in random.integers(1, 20 if rank < 3 else 7, rank)]
        config = {"rank": rank, "input_size": pick(16, 21, 33), "name": "layer",
                  "output_size": pick(1, 3, 8, 17, 33, 100), "filter_shape": filters,
                  "strides": strides, "dilations": [int(d) for d in dilations]}
        config["padding"] = random_padding(random, extents, filters, strides,
                                           config["dilations"])
        config |= random_options(random, None, "relu", "tanh", {"name": "leaky_relu", "alpha": 0.1},
                                 {"name": "clamp", "min": -0.5, "max": 0.75})
        return config, (int(random.integers(1, 4)), *extents, config["input_size"])

    def test_random_layers(self):
        self.for_random_layers(CASES, 77, self.check_winograd)

    def test_edges(self):
        """One input, windows that begin before the result and end after it, a crop, and rounds."""
        layers = [
            (dict(BASE), (1, 1, 1, 32)),
            (dict(BASE, padding=[[-3, -2], [-1, -4]]), (1, 3, 2, 32)),
            (dict(BASE, padding=[[5, 3], [4, 1]], output_padding=[1, 1]), (2, 9, 8, 32)),
            (dict(BASE, filter_shape=[5, 5], dilations=[3, 1], output_size=40), (1, 7, 11, 32)),
            (dict(BASE, filter_shape=[3, 3], strides=[1, 1], output_size=72, activation="gelu"),
             (3, 21, 34, 32)),
        ]
        self.for_each_layer(layers, 78, self.check_winograd)

    def test_folded(self):
        """Few channels, so that phases are channels: of a row of y all in a group, or some; windows
        that cut a position along each axis; positions of one output along w; one input."""
        few = dict(BASE, output_size=3)
        layers = [
            (few, (1, 9, 13, 32)),
            (dict(few, filter_shape=[9, 9], strides=[4, 4], output_size=1, activation="tanh"),
             (2, 7, 10, 32)),
            (dict(few, padding=[[3, 2], [1, 4]], output_padding=[1, 1]), (1, 8, 7, 32)),
            (dict(few, padding=[[-3, -2], [-1, -4]]), (1, 3, 2, 32)),
            (dict(few, padding=[[7, 6], [6, 5]]), (1, 9, 8, 32)),
            (dict(few, filter_shape=[5, 3], strides=[3, 1]), (1, 6, 9, 32)),
            (dict(few, filter_shape=[3, 5], strides=[1, 3], dilations=[2, 1]), (1, 11, 6, 32)),
            (dict(few, rank=1, filter_shape=[77], strides=[20], output_size=5,
                  padding=[[33, 7]]), (1, 23, 32)),
            (dict(few, rank=3, filter_shape=[4, 3, 4], strides=[2, 2, 2], output_size=2,
                  padding=[[1, 1], [1, 0], [2, 1]]), (1, 5, 4, 6, 32)),
            (few, (1, 1, 1, 32)),
        ]
        isas = runnable_isas()
        for case, (config, shape) in enumerate(layers):
            isa, constant = isas[case % len(isas)], bool(case // len(isas) & 1)
            with self.subTest(case=case, isa=isa, constant=constant):
                config = {**config, "dilations": config.get("dilations", [1] * config["rank"])}
                self.check_winograd(np.random.default_rng([SEED, 79, case]), config, shape, isa,
                                    constant)
                self.assertGreater(self.manifest(isa)["combined_phases"], 1)

    def test_images_may_be_an_argument(self):
        shape = (5, 6, 7, 32)
        for isa in runnable_isas():
            with self.subTest(isa=isa):
                self.check_winograd(np.random.default_rng(SEED), BASE, shape, isa, False,
                                    ["?", "6", "7"])

    def test_aarch64(self):
        """With NEON, beside AVX2's direct sums; phases as they are, and as channels."""
        compiler, runner = ["aarch64-linux-gnu-gcc", "-static"], ["qemu-aarch64-static"]
        need(compiler[0], *runner)
        if "avx2" not in runnable_isas():
            self.skipTest("this processor has no AVX2")
        for case, outputs in enumerate((24, 3)):
            with self.subTest(outputs=outputs):
                self.check_winograd(np.random.default_rng([SEED, 80, case]),
                                    dict(BASE, output_size=outputs), (1, 9, 13, 32), "avx2",
                                    bool(case), other=("neon", compiler, runner))


class Choice(WinogradTest):
    def test_choice(self):
        """By default where the library takes it and extents are known; the manifest says its sizes."""
        config = dict(BASE, input_size=64, output_size=64, filter_shape=[3, 3], strides=[1, 1])
        for more, shape, want in (({}, "1,56,56,64", "winograd"), ({}, "?,56,56,64", "winograd"),
                                  ({}, "1,?,56,64", "wide"),
                                  ({"arithmetic": "direct"}, "1,56,56,64", "wide"),
                                  ({"filter_shape": [1, 1]}, "1,56,56,64", "wide"),
                                  # Phases as channels, 3 taps of each along both axes.
                                  ({"filter_shape": [9, 9], "strides": [4, 4], "output_size": 1},
                                   "1,64,64,64", "winograd")):
            with self.subTest(more=more, shape=shape):
                self.write_layer(dict(config, **more))
                self.compile_layer("--input-shape", shape, targets=["avx2"])
                manifest = self.manifest("avx2")
                self.assertEqual(manifest["strategy"], want)
                if want != "winograd":
                    continue
                for axis in manifest["transforms"]:
                    self.assertEqual([transform["taps"] for transform in axis], [3])
                self.assertGreater(manifest["round_tiles"], 0)
                self.assertEqual(manifest["group_channels"] % manifest["lanes"], 0)

    def test_every_target_compiles(self):
        targets = ["sse41", "avx2+avx512", "neon", "sve2", "armv7", "wasm"]
        for outputs in (24, 3):  # phases as they are, and as channels
            with self.subTest(outputs=outputs):
                self.write_layer(dict(BASE, output_size=outputs))
                self.compile_layer("--strategy", "winograd", "--input-shape", "1,8,8,32",
                                   targets=targets)
                self.assertEqual(self.manifest("neon")["strategy"], "winograd")

    def test_refused(self):
        self.write_layer(BASE)
        layers = (({"arithmetic": "direct"}, "1,8,8,32", "arithmetic is direct"),
                  ({}, "1,?,8,32", "an argument of the call"),
                  ({"input_size": 8}, "1,8,8,8", "8 input channels"),
                  ({"filter_shape": [2, 2]}, "1,8,8,32", "no transform fits"))
        for more, shape, words in layers:
            with self.subTest(words=words):
                self.write_layer(dict(BASE, **more))
                result = run(Tools.upconvc, "layer.json", "--target", "sse41", "--name", "decoder",
                             "-o", "out", "--strategy", "winograd", "--input-shape", shape,
                             cwd=self.folder)
                self.assertEqual(result.returncode, 2, result)
                self.assertIn(words, result.stderr)
                self.assertIn("--strategy winograd takes", result.stderr)


class NotFinite(WinogradTest):
    """Weights that are not finite would reach outputs that do not see them."""

    def write_infinite(self):
        random = np.random.default_rng(SEED)
        x, kernel, bias = self.write_case(random, BASE, (1, 6, 6, 32))
        kernel[3, 3, 31, 23] = np.inf
        self.write_layer(BASE, kernel, bias)
        kernel.tofile(self.folder / "kernel.raw")

    def test_constant(self):
        """They are summed directly, or refused where transforms are asked for."""
        self.write_infinite()
        arguments = ["layer.json", "--weights", "w.npz", "--target", "sse41", "--name", "decoder",
                     "-o", "out", "--input-shape", "1,64,64,32"]
        self.check(Tools.upconvc, *arguments)
        self.assertEqual(self.manifest("sse41")["strategy"], "wide")
        result = run(Tools.upconvc, *arguments, "--strategy", "winograd", cwd=self.folder)
        self.assertEqual(result.returncode, 2, result)
        self.assertIn("a weight is not finite", result.stderr)

    def test_packed(self):
        """NAME_pack says so, in words, too; so does the C++ class."""
        self.write_infinite()
        self.compile_layer("--strategy", "winograd", "--input-shape", "1,6,6,32")
        kernel = f'load("kernel.raw", {4 * 4 * 32 * 24 * 4})'
        (self.folder / "main.cpp").write_text(LOAD.replace("static void", "static inline void") + f"""
#include "decoder.hpp"
int main() {{
  const float *kernel = static_cast<float *>({kernel});
  const float bias[24] = {{0}};
  void *packed = malloc(DECODER_PACKED_BYTES);
  const int32_t status = decoder_pack(kernel, bias, static_cast<float *>(packed));
  if (status != DECODER_NOT_FINITE) return 1;
  try {{
    const decoder::Layer layer(kernel, bias);
  }} catch (const std::invalid_argument &error) {{
    return strcmp(error.what(), decoder_error_text(status)) == 0 ? 0 : 2;
  }}
  return 3;
}}
""")
        self.check(Tools.cxx, "-std=c++17", *FLAGS, "main.cpp", "-Iout/sse41/include",
                   "-Lout/sse41/lib", "-ldecoder", "-o", "main")
        self.check("./main")

    def test_layer_of_the_library(self):
        """NAME_upconv.hpp computes them by the library, other weights by the compiled code."""
        self.write_layer(BASE)
        self.compile_layer("--strategy", "winograd", "--input-shape", "1,6,6,32")
        (self.folder / "main.cpp").write_text(r"""
#include <upconv/upconv.h>
#include <cmath>
#include <limits>
#include "decoder_upconv.hpp"
using namespace upconv;
int main() {
  decoder::ConvolutionTranspose layer;
  ConvolutionTranspose plain(layer.compiled_options());
  const Tensor x = initializers::normal()({1, 6, 6, 32}, DType::kFloat32);
  Tensor y(DType::kFloat32, layer.output_shape(x.shape()));
  plain.kernel() = layer.kernel().value();
  plain.bias() = layer.bias().value();
  if (!layer.runs_compiled(x, y.view())) return 1;
  layer(x, y.view());
  Tensor want = plain(x);
  for (Index n = 0; n < y.size(); ++n) {
    if (!(std::abs(y.values<float>()[n] - want.values<float>()[n]) < 1e-4f)) return 2;
  }
  Tensor kernel = Tensor::copy_of(layer.kernel().value());
  kernel.values<float>()[0] = std::numeric_limits<float>::infinity();
  layer.kernel() = kernel;
  plain.kernel() = kernel;
  if (layer.runs_compiled(x, y.view())) return 3;
  layer(x, y.view());
  want = plain(x);
  for (Index n = 0; n < y.size(); ++n) {
    const float a = y.values<float>()[n], b = want.values<float>()[n];
    if (a != b && !(std::isnan(a) && std::isnan(b))) return 4;
  }
  return 0;
}
""")
        build = pathlib.Path(Tools.upconv).parents[1]
        self.check(Tools.cxx, "-std=c++20", "-Wall", "-Wextra", "-Werror", "main.cpp",
                   "-Iout/sse41/include", f"-I{ROOT}/include", "-Lout/sse41/lib", "-ldecoder",
                   f"{build}/runtime/libupconv.a", "-lzip", "-lz", "-pthread", "-o", "main")
        self.check("./main", env={"UPCONV_ISA": "sse41"})


if __name__ == "__main__":
    main()
