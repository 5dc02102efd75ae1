"""A layer as upconvc compiles it, for `./dev bench --compiled` and `--peer compiled`.

Extents and images are constants of the code, weights are packed by the caller. Libraries are kept in
compiled/ of the build folder: a layer is compiled once, and again when upconvc changes.
"""

import ctypes
import functools
import hashlib
import json
import mmap
import os
import pathlib

import numpy as np

from workers.common import Refused, run_program, serve

BUILD = pathlib.Path(os.environ["PEER_BUILD"])
ISA = os.environ["PEER_ISA"]
COMPILE_SECONDS = 110
run = functools.partial(run_program, seconds=COMPILE_SECONDS, late="was not compiled")
# The calls are repeated in C: Python takes a microsecond for one.
REPEAT = r"""
#define _POSIX_C_SOURCE 199309L
#include <time.h>
#include "layer.h"
double layer_repeat(const float *packed, const float *x, float *y, void *scratch, int64_t calls) {
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (; calls > 0; --calls) layer_run(packed, x, y, scratch);
  clock_gettime(CLOCK_MONOTONIC, &end);
  return (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
}
"""


def compiled(problem):
    """Folder of the layer's package, with layer.so in it."""
    compiler = BUILD / "bin" / "upconvc"
    config = problem.config
    shape = ",".join(map(str, problem.shape))
    words = json.dumps([config, shape, ISA], sort_keys=True)
    folder = BUILD / "compiled" / hashlib.sha256(words.encode()).hexdigest()[:16]
    library = folder / "layer.so"
    if library.exists() and library.stat().st_mtime > compiler.stat().st_mtime:
        return folder / ISA, library
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "layer.json").write_text(json.dumps(config))
    (folder / "repeat.c").write_text(REPEAT)
    run([compiler, folder / "layer.json", "--target", ISA, "--input-shape", shape, "--name", "layer",
         "-o", folder])
    run(["cc", "-O2", "-shared", "-fPIC", "-Wl,-Bsymbolic", "-o", folder / "layer.part",
         folder / "repeat.c", f"-I{folder / ISA / 'include'}", "-Wl,--whole-archive",
         folder / ISA / "lib" / "liblayer.a", "-Wl,--no-whole-archive"])
    (folder / "layer.part").rename(library)
    return folder / ISA, library


def aligned(shape):
    """Zeros as the tensors of the library have them: from a cache line on, and of large arrays in
    huge pages where the system has some."""
    size, line, page = int(np.prod(shape)) * 4, 64, 2 << 20
    if size < page:
        memory, begin = np.zeros(size + line, np.uint8), line
    else:
        # Private: shared memory, the default, has huge pages under a setting of its own, mostly off.
        pages = mmap.mmap(-1, size + page, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            pages.madvise(mmap.MADV_HUGEPAGE)
        memory, begin = np.frombuffer(pages, np.uint8), page
    first = -memory.ctypes.data % begin
    return memory[first : first + size].view(np.float32).reshape(shape)


class Call:
    """One call; repeat(n) for the seconds of n."""

    def __init__(self, problem):
        package, path = compiled(problem)
        self.library = ctypes.CDLL(str(path))
        self.library.layer_repeat.restype = ctypes.c_double
        manifest = json.loads((package / "share" / "layer.json").read_text())
        self.strategy = manifest["strategy"]
        self.packed = aligned([manifest["packed_bytes"] // 4])
        self.scratch = aligned([manifest["scratch_bytes"] // 4 + 1])
        self.x, self.y = aligned(problem.shape), aligned(problem.output_shape)
        self.x[...] = problem.x
        kernel, bias = (np.ascontiguousarray(v) for v in (problem.kernel, problem.bias))
        pointers = [ctypes.c_void_p(v.ctypes.data) for v in (kernel, bias, self.packed)]
        if self.library.layer_pack(*pointers) != 0:
            raise RuntimeError("layer_pack failed")
        self.arguments = [ctypes.c_void_p(v.ctypes.data)
                          for v in (self.packed, self.x, self.y, self.scratch)]

    def __call__(self):
        if self.library.layer_run(*self.arguments) != 0:
            raise RuntimeError("layer_run failed")

    def repeat(self, calls):
        return self.library.layer_repeat(*self.arguments, ctypes.c_int64(calls))


class Compiled:
    name = "upconvc"
    version = ISA

    def builders(self, problem):
        def build():
            call = Call(problem)
            return call, lambda: call.y

        return {"compiled": build}

    def fresh(self, problem):
        raise Refused("extents are constants of its code")


if __name__ == "__main__":
    serve(Compiled)
