# SPDX-License-Identifier: Apache-2.0
"""The comparison with other libraries notices what it is for; none of the libraries is needed.

    python3 tests/peers/compare_test.py BINARIES [unittest arguments]

The formula takes the library's part. It is put off by one element, pad, or order at a time, and
then our layer's terms are.
"""

import copy
import os
import pathlib
import sys
import time
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import compare  # noqa: E402
from child import Child, load_peer  # noqa: E402

CASES = 120
reference = compare.reference


def shifted(case, by):
    """The formula with every window `by` elements further on."""
    config = copy.deepcopy(case.config)
    config["padding"] = [[b + by, e - by] for b, e in config["padding"]]
    return reference.conv_transpose(config, case.x, case.kernel, case.bias)


def with_kernel(case, kernel):
    return reference.conv_transpose(case.config, case.x, kernel, case.bias)


def last_changed(case):
    y = case.formula()
    y[(-1,) * y.ndim] += 1
    return y


MUTATIONS = {
    "begins one later": lambda case: shifted(case, 1),
    "begins one earlier": lambda case: shifted(case, -1),
    "an element short": lambda case: np.delete(case.formula(), -1, axis=-2),
    "flipped filter": lambda case: with_kernel(
        case, np.flip(case.kernel, tuple(range(case.kernel.ndim - 2)))),
    "channels exchanged": lambda case: with_kernel(
        case, np.ascontiguousarray(case.kernel.swapaxes(-1, -2).reshape(case.kernel.shape))),
    "one value": last_changed,
}


def changed_terms(terms):
    """Each number in turn one more; each word another of its kind."""
    other = {"same": "valid", "valid": "same", "SAME": "VALID", "VALID": "SAME",
             "SAME_UPPER": "SAME_LOWER", "SAME_LOWER": "SAME_UPPER",
             "same_upper": "same_lower", "same_lower": "same_upper"}
    for name, value in terms.items():
        if isinstance(value, str) and value in other:
            yield name, {**terms, name: other[value]}
        elif isinstance(value, int) and not isinstance(value, bool):
            yield name, {**terms, name: value + 1}
        elif isinstance(value, list) and all(isinstance(v, int) for v in value):
            for n in range(len(value)):
                yield name, {**terms, name: [v + (i == n) for i, v in enumerate(value)]}


class Comparison(unittest.TestCase):
    """For each convention."""

    def cases(self, convention):
        peer = load_peer(convention, BINARIES)
        cases = [compare.Case(convention, peer, seed) for seed in range(1, CASES + 1)]
        cases = [c for c in cases if c.possible]
        return [(c, y) for c, y in zip(cases, compare.run_ours(cases, BINARIES))
                if not isinstance(y, str)]

    def test_a_peer_that_is_off_by_one_is_noticed(self):
        for convention in reference.CONVENTIONS:
            cases = self.cases(convention)
            self.assertGreater(len(cases), CASES // 3)
            for case, ours in cases:
                with self.subTest(convention=convention, seed=case.seed):
                    theirs = case.formula().astype(np.float32)
                    self.assertIsNone(compare.check(case, theirs, ours))
                    self.assertIsNone(compare.check(case, "a refusal", ours))
            for name, mutate in MUTATIONS.items():
                noticed = blind = 0
                for case, ours in cases:
                    theirs = mutate(case).astype(np.float32)
                    if np.array_equal(theirs, case.formula()):
                        blind += 1  # a filter of one tap has no other side, and so on
                        continue
                    with self.subTest(convention=convention, mutation=name, seed=case.seed):
                        self.assertIsNotNone(compare.check(case, theirs, ours))
                        noticed += 1
                with self.subTest(convention=convention, mutation=name):
                    self.assertGreater(noticed, len(cases) // 4, f"{blind} cases cannot tell")

    def test_a_layer_that_is_off_by_one_is_noticed(self):
        """Whether the library computes the layer or refuses it."""
        for convention in reference.CONVENTIONS:
            changed, names = [], []
            for case, _ in self.cases(convention):
                for name, terms in changed_terms(case.terms):
                    another = copy.copy(case)
                    another.terms = terms
                    changed.append(another)
                    names.append(name)
            noticed = dict.fromkeys(names, 0)
            for name, case, ours in zip(names, changed, compare.run_ours(changed, BINARIES)):
                theirs = case.formula().astype(np.float32)
                noticed[name] += compare.check(case, theirs, ours) is not None
                if not isinstance(ours, str) and not np.array_equal(theirs, ours):
                    with self.subTest(convention=convention, term=name, seed=case.seed):
                        self.assertIsNotNone(compare.check(case, "a refusal", ours))
            for name, times in noticed.items():
                with self.subTest(convention=convention, term=name):
                    self.assertGreater(times, 0)


def misbehaving(pipe, *_):
    """A library that computes, hangs or dies as it is told."""
    while True:
        (what,) = pipe.recv()
        if what == "hang":
            time.sleep(1000)
        if what == "die":
            os._exit(3)
        pipe.send(np.ones(2))


class Children(unittest.TestCase):
    def test_one_that_hangs_or_dies_is_replaced(self):
        with Child("none", "", target=misbehaving, seconds=2) as child:
            for what, text in (("hang", "hung: no answer after 2 s"),
                               ("die", "crashed: exit status 3")):
                self.assertEqual(child.call(what), text)
                child.seconds = 60  # the next one is started again
                np.testing.assert_array_equal(child.call("compute"), np.ones(2))
                child.seconds = 2 if what == "die" else 60


if __name__ == "__main__":  # a child has another name, and needs no binaries
    BINARIES = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
