"""Installs the build into a folder whose name has spaces, and builds projects of others that find it
there: with CMake, with pkg-config, for this processor and for another.

usage: install_test.py CMAKE BUILD_FOLDER CXX_COMPILER C_COMPILER [unittest arguments]"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
CMAKE = BUILD = CXX = CC = ""


def check(*command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                            **options)
    if result.returncode != 0:
        raise AssertionError(f"{command}\n{result.stdout}\n{result.stderr}")
    return result.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="upconv install ")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.prefix = cls.folder / "the prefix"
        check(CMAKE, "--install", BUILD, "--prefix", cls.prefix)

    def build(self, project, *options):
        out = self.folder / f"{self.id().rsplit('.', 1)[-1]} build"
        check(CMAKE, "-S", HERE / project, "-B", out, f"-DCMAKE_PREFIX_PATH={self.prefix}",
              "-DCMAKE_BUILD_TYPE=Release", *options)
        check(CMAKE, "--build", out)
        return out

    def test_library(self):
        check(self.build("consumer", f"-DCMAKE_CXX_COMPILER={CXX}") / "consumer")

    @unittest.skipUnless(shutil.which("pkg-config"), "pkg-config is not installed")
    def test_library_by_pkg_config(self):
        folders = ":".join(str(path.parent) for path in self.prefix.rglob("upconv.pc"))
        flags = check("pkg-config", "--cflags", "--libs", "upconv",
                      env=dict(os.environ, PKG_CONFIG_PATH=folders)).strip()
        check("sh", "-c", f"{CXX} -std=c++20 '{HERE}/consumer/main.cpp' {flags} -o consumer "
                          "&& ./consumer", cwd=self.folder)

    @unittest.skipUnless(shutil.which("pkg-config"), "pkg-config is not installed")
    def test_c_library_by_pkg_config(self):
        """The shared library, whose soname the program asks for, needs no C++ compiler."""
        library = next(self.prefix.rglob("libupconv_c.so"))
        flags = check("pkg-config", "--cflags", "--libs", "upconv_c", env=dict(
            os.environ, PKG_CONFIG_PATH=str(library.parent / "pkgconfig"))).strip()
        check("sh", "-c", f"{CC} -std=c11 '{HERE}/../../examples/from_c.c' {flags} -o from_c",
              cwd=self.folder)
        found = dict(os.environ, LD_LIBRARY_PATH=str(library.parent))
        self.assertEqual(check(self.folder / "from_c", env=found).split()[:3], ["0", "0", "2"])
        self.assertRegex(check("ldd", self.folder / "from_c", env=found),
                         r"libupconv_c\.so\.\d+\.\d+ => ")

    def installed_compiler(self):
        if not (self.prefix / "bin" / "upconvc").exists():
            self.skipTest("this build has no upconvc")

    def test_layer(self):
        self.installed_compiler()
        out = self.build("layer")
        self.assertEqual(check(out / "layer"), "done, 8 rows\n")
        self.assertEqual(check(out / "two_layers"), "done, 16 rows\n")
        # Compiled again when its description changes, and only then.
        before = (out / "decoder/sse41/lib/libdecoder.a").stat().st_mtime_ns
        check(CMAKE, "--build", out)
        self.assertEqual((out / "decoder/sse41/lib/libdecoder.a").stat().st_mtime_ns, before)

    def test_layer_is_compiled_again(self):
        self.installed_compiler()
        copy = self.folder / "a copy"
        shutil.copytree(HERE / "layer", copy)
        out = self.build(copy)
        with open(copy / "layer.json", "a") as file:
            file.write("\n\n")
        before = (out / "decoder/sse41/share/decoder.json").stat().st_mtime_ns
        check(CMAKE, "--build", out)
        self.assertGreater((out / "decoder/sse41/share/decoder.json").stat().st_mtime_ns, before)

    @unittest.skipUnless(shutil.which("aarch64-linux-gnu-gcc") and
                         shutil.which("qemu-aarch64-static"),
                         "g++-aarch64-linux-gnu or qemu-user-static is not installed")
    def test_layer_for_another_processor(self):
        self.installed_compiler()
        out = self.build("layer", "-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
                         "-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc",
                         "-DCMAKE_EXE_LINKER_FLAGS=-static")
        self.assertEqual(check("qemu-aarch64-static", out / "layer"), "done, 8 rows\n")
        self.assertEqual(check("qemu-aarch64-static", out / "two_layers"), "done, 16 rows\n")

    def test_subfolder(self):
        """By FetchContent. To be short, with the generators of this build, and kernels for the least
        instruction set alone."""
        cache = dict(line.split("=", 1) for line in
                     pathlib.Path(BUILD, "CMakeCache.txt").read_text().splitlines()
                     if "=" in line and not line.startswith("#"))
        out = self.folder / "subfolder"
        check(CMAKE, "-S", HERE / "subfolder", "-B", out, f"-DUPCONV_SOURCE={HERE.parents[1]}",
              f"-DHalide_DIR={cache['Halide_DIR:PATH']}", f"-DCMAKE_CXX_COMPILER={CXX}",
              f"-DUPCONV_GENERATORS={BUILD}/generators/upconv_generators",
              "-DUPCONV_ISAS=sse41")
        listed = check(CMAKE, "--build", out, "--target", "help")
        for target in ("consumer", "decoder_avx2_layer", "upconv_compiler"):
            self.assertIn(target, listed)
        check(CMAKE, "--build", out, "--target", "consumer", "--parallel", "2")
        check(out / "consumer")


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__.rsplit("\n", 1)[-1])
    CMAKE, BUILD, CXX, CC = sys.argv[1:5]
    del sys.argv[1:5]
    unittest.main()
