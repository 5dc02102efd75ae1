"""The kernels of GPUs as their makers' tools see them: kernels_test.py GENERATORS ptx|spirv|metal

ptx    for every compute capability that Halide 21 names from 7.0 on: assembled by ptxas, without
       spills, in the registers that Halide's run time grants a thread
spirv  validated by spirv-val
metal  what the source must hold; there is no compiler for it here

A tool that is missing skips the test (77), once the code has been made.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ACTIVATIONS = ("leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "sigmoid", "tanh", "softplus",
               "silu", "hard_swish")
KERNELS = [("gpu_conv_transpose", None)] + [("gpu_epilogue", name) for name in ACTIVATIONS]

CAPABILITIES = (70, 75, 80, 86)
OLDEST_OF_PTXAS = 75  # for its version 13; what is made for older ones is assembled for it
REGISTERS = 64  # CU_JIT_MAX_REGISTERS in Halide's run time
SHARED_BYTES = 16384  # three blocks of threads fit the 48 KiB that every capability has


def generate(generators, folder, kernel, activation, features):
    """The device's code of one kernel."""
    parameters = [f"activation={activation}"] if activation else []
    subprocess.run(
        [generators, "-g", kernel, "-f", "kernel", "-o", folder, "-e", "device_code,stmt",
         f"target=x86-64-linux-sse41-{features}-user_context-no_runtime-no_bounds_query",
         *parameters], check=True)
    return pathlib.Path(folder, "kernel.device_code").read_bytes()


def find_tool(name, *places):
    tool = shutil.which(name) or next((p for p in places if pathlib.Path(p).exists()), None)
    if tool is None:
        print(f"skipped: {name} is not on this machine")
        sys.exit(77)
    return tool


def check(condition, what):
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)


def test_ptx(generators, folder):
    files = {}
    for capability in CAPABILITIES:
        for kernel, activation in KERNELS:
            code = generate(generators, folder, kernel, activation,
                            f"cuda-cuda_capability_{capability}")
            check(f".target sm_{capability}".encode() in code and code.count(b".entry") == 1,
                  f"{kernel} for {capability} is not PTX of one kernel")
            launch = pathlib.Path(folder, "kernel.stmt").read_text(errors="replace")
            shared = re.search(r"halide_cuda_run\(.*?, \d+, 1, 0 \+ \((\d+)\*4\)", launch)
            files[capability, activation or kernel] = (code.rstrip(b"\0\n") + b"\n",
                                                       4 * int(shared[1]) if shared else 0)
    ptxas = find_tool("ptxas", "/usr/local/cuda/bin/ptxas")
    print(f"{'PTX':>4} {'assembled':>9} {'kernel':<20} registers spilled shared")
    for (capability, kernel), (code, shared) in files.items():
        # What the library ships is for the oldest, and a newer GPU's driver assembles it.
        newer = (90, 120) if capability == CAPABILITIES[0] else ()
        for assembled in (max(capability, OLDEST_OF_PTXAS), *newer):
            assemble(ptxas, folder, capability, assembled, kernel, code, shared)


def assemble(ptxas, folder, capability, assembled, kernel, code, shared):
    path = pathlib.Path(folder, "kernel.ptx")
    path.write_bytes(code)
    said = subprocess.run(
        [ptxas, f"-arch=sm_{assembled}", f"-maxrregcount={REGISTERS}", "-v", path, "-o",
         pathlib.Path(folder, "kernel.cubin")], capture_output=True, text=True)
    check(said.returncode == 0, f"ptxas on {kernel} for {capability}: {said.stderr}")
    registers = int(re.search(r"Used (\d+) registers", said.stderr)[1])
    spilled = sum(map(int, re.findall(r"(\d+) bytes spill", said.stderr)))
    stack = int(re.search(r"(\d+) bytes stack frame", said.stderr)[1])
    print(f"{capability:>4} {assembled:>9} {kernel:<20} {registers:>9} {spilled:>7} {shared:>6}")
    check(registers <= REGISTERS and spilled == 0 and stack == 0 and shared <= SHARED_BYTES,
          f"{kernel} for {capability} is over its bounds: {said.stderr}")
    if kernel == "gpu_conv_transpose":
        check(shared > 0, "the launch asks for shared memory")
        check(code.count(b"fma.rn.f32") == 64, "a step of 4 input channels is 64 fused operations")
        check(code.count(b"ld.shared.v4") >= 8, "a step reads shared memory 4 elements at a time")


def test_spirv(generators, folder):
    modules = []
    for kernel, activation in KERNELS:
        code = generate(generators, folder, kernel, activation, "vulkan-vk_int64")
        # Names and sizes come first; of the module, Halide writes a line feed over the last byte.
        at = code.index(b"\x03\x02\x23\x07")
        modules.append((activation or kernel, code[at:-1] + b"\0"))
    tool = find_tool("spirv-val")
    for kernel, module in modules:
        path = pathlib.Path(folder, "kernel.spv")
        path.write_bytes(module)
        for environment in ("vulkan1.0", "vulkan1.3"):
            said = subprocess.run([tool, "--target-env", environment, path], capture_output=True,
                                  text=True)
            check(said.returncode == 0, f"{kernel} for {environment}: {said.stderr}")
        print(f"{kernel:<20} {len(module):>6} bytes, valid")


def test_metal(generators, folder):
    for kernel, activation in KERNELS:
        source = generate(generators, folder, kernel, activation, "metal").decode()
        check("#include <metal_stdlib>" in source and source.count("\nkernel void ") == 1,
              f"{kernel} is not Metal's source of one kernel")
        check("double" not in source, f"{kernel} has a type that Metal lacks")
        threadgroup = "threadgroup_barrier" in source
        check(threadgroup == (activation is None), f"{kernel}: barriers")
        print(f"{activation or kernel:<20} {len(source):>6} bytes of source")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        {"ptx": test_ptx, "spirv": test_spirv, "metal": test_metal}[sys.argv[2]](sys.argv[1], scratch)
