#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden values in this folder by running the peers themselves.

    python3 make_golden.py                  # every peer but terms_*, then the files
    python3 make_golden.py --peer torch     # one peer
    python3 make_golden.py --verify         # no peer: check the stored values (needs NumPy only)

Every case is compared with reference.py before it is written; one difference stops the run, because
it would mean that a `layer.json` says something else than the peer does. What a peer is asked is in
make/with_<peer>.py.
"""

import argparse
import importlib
import os
import subprocess
import sys

import reference
from make import verify, with_terms

#: Before any peer is imported: on the CPU, and quietly.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

#: What makes files that are read as they are, and no cases.
FILES = ("numpy", "safetensors", "torch_export")
#: The libraries of the terms_* cases are those of .venv-peers; they are made on request alone.
PEERS = (*(p for p in reference.PEERS if not p.startswith("terms_")), *FILES)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--peer", choices=(*reference.PEERS, *FILES), action="append", help="only this peer (repeatable)")
    p.add_argument("--verify", action="store_true", help="only check what is stored")
    a = p.parse_args()
    if a.verify:
        return 1 if verify.verify() else 0
    peers = a.peer or PEERS
    if len(peers) == 1:
        if peers[0].startswith("terms_"):
            with_terms.make(peers[0].removeprefix("terms_"))
        else:
            importlib.import_module(f"make.with_{peers[0]}").make()
        return 0
    for peer in peers:  # a process each: Keras has one backend per process
        subprocess.run([sys.executable, os.path.abspath(__file__), "--peer", peer], check=True)
    return 1 if a.peer is None and verify.verify() else 0


if __name__ == "__main__":
    sys.exit(main())
