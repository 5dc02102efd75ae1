#!/usr/bin/env python3
"""Writes requirements.lock from requirements.in.

    .venv-peers/bin/python bench/peers/lock.py

pip resolves the list for each Python version (`pip install --dry-run --report`, nothing is
installed); the lock holds what it found: name, version, the hash of every wheel.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PYTHONS = ("3.11", "3.12", "3.13")  # what all of the peers have wheels for
HEADER = """\
# Written by lock.py from requirements.in, for CPython {pythons} on x86-64 Linux.
# `./dev bench --peers` installs it into .venv-peers with pip --require-hashes --no-deps.
"""


def resolve(python):
    """What pip would install: {(name, version): hash}."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--only-binary", ":all:", "--python-version", python]
        command += ["--target", folder, "--report", str(report)]
        command += ["-r", str(HERE / "requirements.in")]
        subprocess.run(command, check=True)
        found = json.loads(report.read_text())["install"]
    return {
        (item["metadata"]["name"].lower().replace("_", "-"), item["metadata"]["version"]): item[
            "download_info"
        ]["archive_info"]["hash"].replace("=", ":", 1)
        for item in found
    }


def main():
    hashes = collections.defaultdict(set)
    pythons = collections.defaultdict(list)
    for python in PYTHONS:
        for package, digest in resolve(python).items():
            hashes[package].add(digest)
            pythons[package].append(python)
    lines = [HEADER.format(pythons=", ".join(PYTHONS))]
    for package in sorted(hashes):
        name, version = package
        line = f"{name}=={version}"
        if len(pythons[package]) < len(PYTHONS):
            line += " ; " + " or ".join(f'python_version == "{p}"' for p in pythons[package])
        digests = [f"--hash={digest}" for digest in sorted(hashes[package])]
        lines.append(" \\\n    ".join([line, *digests]) + "\n")
    (HERE / "requirements.lock").write_text("".join(lines))


if __name__ == "__main__":
    main()
