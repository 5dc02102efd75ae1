# SPDX-License-Identifier: Apache-2.0
"""Layers in the terms of each library, as tests/peers generates them and the library computes them.

    python3 make_golden.py --peer terms_onnx
"""

import importlib
import pathlib
import sys

from make.maker import FOLDER, Maker, Refused

PER_CONVENTION = 400

#: Where the worker of oneDNN is built.
BINARIES = FOLDER.parents[1] / "build" / "bin"


def make(convention):
    sys.path.insert(0, str(pathlib.Path(FOLDER).parent / "peers"))
    compare, child = map(importlib.import_module, ("compare", "child"))
    peer = child.load_peer(convention, BINARIES)
    m = Maker("terms_" + convention)
    seed = 0
    while len(m.entries) < PER_CONVENTION:
        seed += 1
        case = compare.Case(convention, peer, seed)
        if case.x.size + case.kernel.size + case.size() > 600:
            continue  # the stored files stay small

        def run(*_, case=case):
            y = child.result(peer, case.call())
            if isinstance(y, str):
                raise Refused(y[:150])
            return y, f"seed {case.seed} of tests/peers"

        m.values = lambda *_, case=case: (case.x, case.kernel, case.bias)
        m.add("case", case.config, case.x.shape[1:-1], run, batch=case.x.shape[:1],
              terms=case.terms)
    m.write()
