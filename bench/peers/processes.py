"""Workers: one process a peer, asked over a pipe, one line of JSON each way."""

import json
import os
import pathlib
import select
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
#: Modules of the package workers; each needs its Python package.
PYTHON_WORKERS = ("onnxruntime", "openvino", "torch", "tensorflow", "litert", "ncnn")
#: Those that only take part when they are asked for by name.
ON_REQUEST = ("autoscheduled", "compiled")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"}


class Gone(Exception):
    """The worker ended, or did not answer in time."""


class Worker:
    """A peer's process; started again after it ended."""

    def __init__(self, key, command, threads, cores, log, environment=None):
        self.key, self.command, self.cores, self.log = key, command, cores, log
        self.environment = {**os.environ, **QUIET, "PYTHONPATH": str(HERE), **(environment or {})}
        self.environment["PEER_THREADS"] = str(threads)
        for name in ("OMP", "MKL", "OPENBLAS"):
            self.environment[name + "_NUM_THREADS"] = str(threads)
        self.process = None
        self.info = self.ask({"command": "hello"}, seconds=180)

    @property
    def name(self):
        return self.info["peer"]

    def start(self):
        self.process = subprocess.Popen(
            self.command,
            cwd=HERE,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            preexec_fn=lambda: os.sched_setaffinity(0, self.cores),
        )

    def stop(self):
        if self.process is None:
            return
        self.process.stdin.close()  # the end of its input is the end of a worker
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None

    def ask(self, message, seconds=120):
        """The answer; {"refused": why} also when the worker broke down over it."""
        try:
            if self.process is None:
                self.start()
            return self._ask(message, seconds)
        except (Gone, OSError, ValueError) as error:
            if self.process is not None:
                self.process.kill()
                self.process.wait()
                self.process = None
            return {"refused": f"{message['command']}: {error}"}

    def _ask(self, message, seconds):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        pipe, line = self.process.stdout, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], seconds)
            if not ready:
                raise Gone(f"no answer in {seconds} s")
            part = os.read(pipe.fileno(), 65536)
            if not part:
                raise Gone(f"the worker ended, status {self.process.wait()}")
            line += part
        return json.loads(line)


def pick_cores(threads):
    """The last cores we may use for the workers, the others for this process."""
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise SystemExit(f"--threads is {threads}; this process may use {len(allowed)} cores")
    cores = set(allowed[-threads:])
    os.sched_setaffinity(0, set(allowed) - cores or cores)
    return cores


def start_ours(binary, isas, threads, cores, log):
    """{key: worker}, one for each instruction set; the first is "upconv"."""
    workers = {}
    for isa in isas or [None]:
        key = f"upconv_{isa}" if workers else "upconv"
        environment = {"UPCONV_ISA": isa} if isa else {}
        worker = workers[key] = Worker(key, [str(binary)], threads, cores, log, environment)
        if "refused" in worker.info:
            raise SystemExit(f"{binary}: {worker.info['refused']}; workers.log may say why")
    return workers


def start_peers(binaries, wanted, isa, threads, cores, log):
    """({key: worker}, {key: why it is missing}) of the peers in `wanted`, of all for None.

    isa: ours, for what can be told which to use."""
    commands = {key: [sys.executable, "-m", "workers." + key] for key in PYTHON_WORKERS + ON_REQUEST}
    commands["onednn"] = [str(binaries / "upconv_onednn_worker")]
    unknown = set(wanted or []) - set(commands)
    if unknown:
        raise SystemExit(f"--peer is {', '.join(unknown)}; the peers are {', '.join(commands)}")
    if wanted is None:
        wanted = [key for key in commands if key not in ON_REQUEST]
    environment = {"PEER_ISA": isa, "PEER_BUILD": str(binaries.parent)}
    workers, missing = {}, {}
    for key in wanted:
        worker = Worker(key, commands[key], threads, cores, log, environment)
        if "refused" in worker.info:
            missing[key] = worker.info["refused"]
        else:
            workers[key] = worker
    return workers, missing
