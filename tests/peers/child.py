# SPDX-License-Identifier: Apache-2.0
"""A library in a process of its own, so that a call of it which hangs or crashes ends nothing else."""

import importlib
import multiprocessing
import pathlib

import numpy as np

#: A call that takes longer has hung: most take milliseconds, the first one imports the library.
SECONDS = 120


def load_peer(convention, binaries):
    peer = importlib.import_module(f"with_{convention}")
    if convention == "onednn":
        peer.BINARIES = binaries
    return peer


def result(peer, arguments):
    """The library's result, or the text of its refusal."""
    try:
        return np.asarray(peer.call(*arguments))
    except Exception as error:  # noqa: BLE001 - a library's own refusal, whatever its class
        return " ".join(f"{type(error).__name__}: {error}".split())


def answer(pipe, convention, binaries):
    """What the child does until the other end is closed: a result for each call."""
    peer = load_peer(convention, pathlib.Path(binaries))
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(result(peer, arguments))


class Child:
    """Calls a library; a child that hangs or dies is replaced by the next call."""

    def __init__(self, convention, binaries, target=answer, seconds=SECONDS):
        self.arguments, self.target, self.seconds = (convention, str(binaries)), target, seconds
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=self.target, args=(theirs, *self.arguments), daemon=True)
        self.process.start()
        theirs.close()

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None

    def call(self, *arguments):
        """The library's result, or a text: its refusal, "hung" or "crashed"."""
        if self.process is None:
            self.start()
        try:
            self.pipe.send(arguments)
            # Seconds of this process, not of the clock: both may be stopped, and go on later.
            if any(self.pipe.poll(1) for _ in range(self.seconds)):
                return self.pipe.recv()
            what = f"hung: no answer after {self.seconds} s"
        except (EOFError, ConnectionError):
            self.process.join()
            what = f"crashed: exit status {self.process.exitcode}"
        self.stop()
        return what
