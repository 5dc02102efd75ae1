"""Installs the build into a folder whose name has spaces, builds a project that finds it there, and
runs it.

usage: install_test.py CMAKE BUILD_FOLDER CONSUMER_FOLDER CXX_COMPILER"""

import pathlib
import subprocess
import sys
import tempfile

cmake, build, consumer, compiler = sys.argv[1:]
with tempfile.TemporaryDirectory(prefix="upconv install ") as folder:
    prefix, out = pathlib.Path(folder, "the prefix"), pathlib.Path(folder, "the build")
    for command in (
        [cmake, "--install", build, "--prefix", prefix],
        [cmake, "-S", consumer, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}",
         f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Release"],
        [cmake, "--build", out],
        [out / "consumer"],
    ):
        subprocess.run(command, check=True)
