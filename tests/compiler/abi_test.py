"""What upconvc writes of one layer, as programs meet it: symbols, data, errors, headers, bytes.

    python3 tests/compiler/abi_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import itertools
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess

import numpy as np

from support import BASE, FLAGS, SEED, CompilerTest, Tools, main, run

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Abi(CompilerTest):
    def test_symbols(self):
        """The library defines the functions of its header, and needs nothing; but where outputs are
        copies of the first, C's memcpy."""
        gaps = dict(BASE, filter_shape=[1, 1], strides=[3, 3], dilations=[1, 1])
        for config, shape, needs in ((BASE, [], set()),
                                     (gaps, ["--input-shape", "1,40,40,3", "--strategy", "wide"],
                                      {("U", "memcpy")})):
            self.write_layer(config)
            self.compile_layer(*shape, targets=["sse41", "avx512"])
            for target in ("sse41", "avx512"):
                text = self.check("nm", "-g", f"out/{target}/lib/libdecoder.a").stdout
                names = {(kind, name) for kind, name in re.findall(r"([A-Za-z]) (\w+)$", text, re.M)}
                self.assertEqual(names, {("T", "decoder_run"), ("T", "decoder_pack")} | needs)

    def test_constant_weights_are_read_only(self):
        kernel = np.ones((3, 3, 3, 4), np.float32)
        self.write_layer(BASE, kernel, np.ones(4, np.float32))
        self.compile_layer("--weights", "w.npz")
        text = self.check("objdump", "-h", "out/sse41/lib/libdecoder.a").stdout
        sizes = {name: int(size, 16)
                 for name, size in re.findall(r"^ *\d+ (\.\S+) +([0-9a-f]+)", text, re.M)}
        self.assertGreaterEqual(sum(n for name, n in sizes.items() if name.startswith(".rodata")),
                                kernel.nbytes)
        self.assertEqual(sum(n for name, n in sizes.items() if name.startswith(".bss")), 0)

    def test_constant_weights_are_there_twice_for_who_reads_them(self):
        """NAME_weights is in an object of its own, which a program is linked with that calls it."""
        kernel = np.arange(2 * 2 * 60 * 50, dtype=np.float32).reshape(2, 2, 60, 50)
        config = dict(BASE, input_size=60, output_size=50, filter_shape=[2, 2])
        self.write_layer(config, kernel, np.arange(50, dtype=np.float32))
        for target in ("sse41", "sse41+avx2"):
            self.compile_layer("--weights", "w.npz", "--input-shape", "1,3,3,60", targets=[target])
            prefix = f"out/{target}"
            self.assertIn("decoder_weights.o:",
                          self.check("nm", f"{prefix}/lib/libdecoder.a").stdout)
            sizes = []
            for reads in (False, True):
                (self.folder / "main.c").write_text(r"""
#include "decoder.h"
static float x[3 * 3 * 60], y[6 * 6 * 50], kernel[2 * 2 * 60 * 50], bias[50];
int main(void) {
  if (decoder_run(x, y, 0) != DECODER_DONE) return 1;
#if READS
  if (decoder_weights(kernel, 0) != DECODER_DONE || kernel[11999] != 11999 || bias[1] != 0) return 2;
  if (decoder_weights(0, bias) != DECODER_DONE || bias[1] != 1 || bias[49] != 49) return 3;
  if (decoder_weights(0, 0) != DECODER_DONE) return 4;
#endif
  return kernel[0] != 0 || bias[0] != 0;
}
""")
                self.check(Tools.cc, "-std=c11", *FLAGS, f"-DREADS={int(reads)}", "main.c",
                           f"-I{prefix}/include", f"-L{prefix}/lib", "-ldecoder", "-o", "main")
                self.check("./main")
                # Not the file's size: its parts begin at pages.
                text, data = self.check("size", "main").stdout.splitlines()[1].split()[:2]
                sizes.append(int(text) + int(data))
            more = sizes[1] - sizes[0]
            self.assertTrue(kernel.nbytes <= more < 1.3 * kernel.nbytes, sizes)

    def test_bad_extents(self):
        self.write_layer(dict(BASE, padding=[[3, 3], [0, 0]]))
        self.compile_layer()
        x = np.zeros((1, 1, 1, 3), np.float32)
        x.tofile(self.folder / "x.raw")
        np.zeros(108, np.float32).tofile(self.folder / "kernel.raw")
        np.zeros(4, np.float32).tofile(self.folder / "bias.raw")
        config = dict(BASE)
        for extents, status in (((1, 0, 5), 1), ((-1, 5, 5), 1), ((1, 1, 5), 1),
                                ((1, 70000, 70000), 2), ((2147483647,) * 3, 2)):
            with self.subTest(extents=extents):
                self.build("out/sse41", config, x, (1, 1, 1, 4), False, extents)
                result = run("./main", cwd=self.folder)
                self.assertEqual(result.returncode, status, result)
                self.assertIn("decoder_run: ", result.stderr)

    def test_bounds(self):
        """An argument may have a bound, which the call may reach and not pass; so for layers in a row."""
        second = dict(BASE, input_size=4, output_size=2, filter_shape=[2, 2], padding="valid",
                      name="second")
        for config, outputs, winograd in (
                (BASE, (12, 14), False), ({"layers": [BASE, second]}, (24, 28), False),
                (dict(BASE, input_size=32, arithmetic="fast"), (12, 14), True)):
            with self.subTest(config=config):
                (self.folder / "layer.json").write_text(json.dumps(config))
                shape = "4?,6,7,32" if winograd else "4?,6?,7?,3"
                self.compile_layer("--input-shape", shape,
                                   *(["--strategy", "winograd"] if winograd else []))
                header = (self.folder / "out/sse41/include/decoder.h").read_text()
                self.assertIn("#define DECODER_MOST_IMAGES 4\n", header)
                manifest = json.loads((self.folder / "out/sse41/share/decoder.json").read_text())
                if "layers" not in config:
                    self.assertEqual(manifest["most_images"], 4)
                names = ["IMAGES"] if winograd else ["IMAGES", "HEIGHT", "WIDTH"]
                if not winograd:
                    for name, most in zip(("HEIGHT", "WIDTH"), outputs):
                        self.assertIn(f"#define DECODER_MOST_OUTPUT_{name} {most}\n", header)
                calls = "".join(
                    "  if (call({}) != DECODER_TOO_LARGE) return {};\n".format(
                        ", ".join(f"DECODER_MOST_{name}{' + 1' * (name == more)}" for name in names),
                        number + 2)
                    for number, more in enumerate(names))
                parameters = ", ".join(f"int32_t {name.lower()}" for name in names)
                (self.folder / "main.c").write_text(r"""
#include "decoder.h"
static float packed[DECODER_PACKED_BYTES / 4], x[4 * 6 * 7 * 32], y[4 * 24 * 28 * 4];
static double scratch[1 << 16];
static int32_t call(%s) {
  return decoder_run(packed, x, %s, y, scratch);
}
int main(void) {
  if (call(%s) != DECODER_DONE) return 1;
%s  return 0;
}
""" % (parameters, ", ".join(name.lower() for name in names),
       ", ".join(f"DECODER_MOST_{name}" for name in names), calls))
                self.check(Tools.cc, "-std=c11", *FLAGS, "main.c", "-Iout/sse41/include",
                           "-Lout/sse41/lib", "-ldecoder", "-o", "main")
                self.check("./main")

    def test_same_inputs_give_the_same_bytes(self):
        self.write_layer(BASE, np.ones((3, 3, 3, 4), np.float32), np.ones(4, np.float32))
        packages = []
        for _ in range(2):
            self.compile_layer("--weights", "w.npz")
            packages.append({path.relative_to(self.folder): path.read_bytes()
                             for path in (self.folder / "out").rglob("*") if path.is_file()})
            shutil.rmtree(self.folder / "out")
        self.assertEqual(packages[0], packages[1])

    def test_cxx(self):
        self.write_layer(dict(BASE, padding="valid"))
        self.compile_layer("--input-shape", "1,?,2,3")
        (self.folder / "main.cpp").write_text(r"""
#include <cstdio>
#include "decoder.hpp"
int main() {
  const std::vector<float> kernel(3 * 3 * 3 * 4, 1), bias(4, 1), x(2 * 3, 1);
  std::vector<float> y(3 * DECODER_OUTPUT_WIDTH * 4);
  const decoder::Layer layer(kernel.data(), bias.data());
  layer(x.data(), 1, y.data());
  try {
    layer(x.data(), 0, y.data());
  } catch (const std::invalid_argument& error) {
    std::printf("%g %g %s", y.front(), y[4 * 2], error.what());
  }
}
""")
        self.check(Tools.cxx, "-std=c++17", *FLAGS, "main.cpp", "-Iout/sse41/include",
                   "-Lout/sse41/lib", "-ldecoder", "-o", "main")
        self.assertTrue(self.check("./main").stdout.startswith("4 7 decoder_run: an extent"))

    def test_layer_of_the_library(self):
        """NAME_upconv.hpp: calls that fit run the compiled code, others the library, to the same bits.
        Constant weights are in its variables, and with others the library computes all calls."""
        layers = [
            (dict(BASE, padding=[[1, 0], [-1, 2]], output_padding=[1, 0], activation="gelu",
                  name='a "layer"'), "2,?,4,3"),
            (dict(BASE, padding="same", use_bias=False, dtype="float64",
                  activation={"name": "clamp", "min": -0.1, "max": 0.3}), "?,?,?,?"),
        ]
        random = np.random.default_rng(SEED)
        for (config, shape), constant in itertools.product(layers, (False, True)):
            with self.subTest(config=config, constant=constant):
                element = "double" if "dtype" in config else "float"
                kernel = random.standard_normal((3, 3, 3, 4)).astype(config.get("dtype", "float32"))
                kernel[1, 1, 1, 0] = -0.0  # bits that == does not tell
                bias = kernel[0, 0, 0] if config.get("use_bias", True) else None
                self.write_layer(config, kernel, bias)
                self.compile_layer("--input-shape", shape, *(["--weights", "w.npz"] * constant))
                (self.folder / "main.cpp").write_text("using Real = " + element + ";" + r"""
#include <upconv/upconv.h>
#include <cstring>
#include <iostream>
#include "decoder_upconv.hpp"
using namespace upconv;
int faults = 0;
#define CHECK(...) if (!(__VA_ARGS__)) faults += 1, std::cout << __LINE__ << ": " #__VA_ARGS__ "\n"
bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(Real)) == 0;
}
int main() {
  decoder::ConvolutionTranspose layer;
  const ConvolutionTranspose& base = layer;
  ConvolutionTranspose plain(layer.compiled_options());
  CHECK(same(layer.kernel().value(), plain.kernel().value()));
  layer.save("initial.npz");
  if (DECODER_CONSTANT) {
    plain.load("w.npz");
    CHECK(same(layer.kernel().value(), plain.kernel().value()));
    if (layer.has_bias()) CHECK(same(layer.bias().value(), plain.bias().value()));
    decoder::ConvolutionTranspose other([] {
      auto options = decoder::ConvolutionTranspose::compiled_options();
      options.init_kernel_fn = initializers::zeros();
      return options;
    }());
    Tensor y(layer.dtype(), layer.output_shape({2, 5, 4, 3}));
    const Tensor x = initializers::normal()({2, 5, 4, 3}, layer.dtype());
    CHECK(!other.runs_compiled(x, y.view()));
    auto options = layer.compiled_options();
    options.output_size = 5;
    try {
      decoder::ConvolutionTranspose wrong(options);
      CHECK(false);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kShapeMismatch);
    }
  }
  const auto check = [&](const Dims& shape, bool compiled, const ConvolutionTranspose& of) {
    const Tensor x = initializers::normal()(shape, layer.dtype());
    Tensor y(layer.dtype(), layer.output_shape(shape));
    CHECK(layer.runs_compiled(x, y.view()) == compiled);
    layer(x, y.view());
    CHECK(same(y, plain(x)));
    CHECK(same(of(x), plain(x)));
  };
  const auto follow = [&] {
    plain.kernel() = layer.kernel().value();
    if (layer.has_bias()) plain.bias() = layer.bias().value();
  };
  follow();
  check({2, 5, 4, 3}, true, layer);
  check({1, 2, 3, 4, 3}, true, base);
  check({2, 5, 6, 3}, DECODER_FITS, base);
  layer.kernel() = initializers::normal(1)(layer.kernel().shape(), layer.dtype());
  if (layer.has_bias()) layer.bias() = initializers::normal(1)(layer.bias().shape(), layer.dtype());
  follow();
  check({2, 5, 4, 3}, !DECODER_CONSTANT, base);
  layer.save("saved.npz");
  decoder::ConvolutionTranspose loaded;
  loaded.load("saved.npz");
  layer = loaded;
  check({2, 5, 4, 3}, !DECODER_CONSTANT, *dynamic_cast<ConvolutionTranspose*>(layer.clone().get()));
  layer.load("initial.npz");
  follow();
  check({2, 5, 4, 3}, true, base);
  if (layer.has_bias()) {
    const Tensor bias = layer.bias().value();
    layer.bias() = Tensor::zeros(layer.dtype(), bias.shape());
    follow();
    check({2, 5, 4, 3}, !DECODER_CONSTANT, base);
    layer.bias() = bias;
    follow();
    check({2, 5, 4, 3}, true, base);
  }
  layer.drop_kernel();
  check({2, 5, 4, 3}, true, base);
  const Tensor x = initializers::normal()({2, 5, 4, 3}, layer.dtype());
  const Sequential net(layer, [](const ConstTensorView& of) { return Tensor::copy_of(of); });
  CHECK(same(net(x), plain(x)));
  const Tensor residual = initializers::normal()(layer.output_shape(x.shape()), layer.dtype());
  CHECK(same(layer(x, {.residual = residual.view()}), plain(x, {.residual = residual.view()})));
  try {
    layer(Tensor::zeros(layer.dtype(), {2, 5, 4, 9}));
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kShapeMismatch);
  }
  return faults;
}
""")
                fits = "true" if shape == "?,?,?,?" else "false"
                build = pathlib.Path(Tools.upconv).parents[1]
                self.check(Tools.cxx, "-std=c++20", "-Wall", "-Wextra", "-Wconversion",
                           "-Wno-sign-conversion", "-Werror", f"-DDECODER_FITS={fits}",
                           f"-DDECODER_CONSTANT={int(constant)}", "main.cpp",
                           "-Iout/sse41/include", f"-I{ROOT}/include", "-Lout/sse41/lib",
                           "-ldecoder", f"{build}/runtime/libupconv.a", "-lzip", "-lz", "-pthread",
                           "-o", "main")
                self.check("./main", env={"UPCONV_ISA": "sse41"})

    def test_emit(self):
        self.write_layer(BASE)
        self.compile_layer("--emit", "stmt,asm", "--emit", "llvm,html")
        self.assertEqual({path.name for path in (self.folder / "out/sse41/emit").iterdir()},
                         {"decoder.stmt", "decoder.s", "decoder.ll", "decoder.html"})

    def test_progress(self):
        """A terminal sees what is being compiled; a file does not."""
        self.write_layer(BASE)
        self.assertEqual(self.compile_layer().stderr, "")
        terminal, behind = pty.openpty()
        self.addCleanup(os.close, terminal)
        subprocess.run([Tools.upconvc, "layer.json", "--target", "sse41", "--target", "neon", "--name",
                        "decoder", "-o", "out"], cwd=self.folder, stderr=behind,
                       stdout=subprocess.DEVNULL, check=True, timeout=600)
        os.close(behind)
        shown = os.read(terminal, 4096).decode()
        for target in ("sse41", "neon"):
            self.assertIn(f"upconvc: compiling decoder for {target}", shown)

    def test_tile(self):
        self.write_layer(BASE)
        self.compile_layer("--tile", "6x2")
        manifest = json.loads((self.folder / "out/sse41/share/decoder.json").read_text())
        self.assertEqual(manifest["parts"][0]["vectors"], 2)
        self.assertEqual(manifest["parts"][0]["pixels"], [6, 3, 2, 1])
        self.assertEqual(manifest["command"][0], "upconvc")


if __name__ == "__main__":
    main()
