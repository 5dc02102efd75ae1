"""The algorithm that Halide's autoschedulers get (generators/conv_transpose_layer.cpp) is the layer.

usage: autoscheduled_test.py BUILD_FOLDER

Small layers by the quickest of the autoschedulers, against the definition, as the comparison in
docs/tuning.md runs them.
"""

import os
import pathlib
import sys
import unittest

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.update(PEER_BUILD=sys.argv.pop(1), PEER_ISA="sse41")
sys.path.insert(0, str(ROOT / "bench" / "peers"))
from problem import Problem  # noqa: E402
from workers import autoscheduled  # noqa: E402
from workers.common import Refused  # noqa: E402

LAYERS = [
    ([2, 5, 4, 3], {"filter_shape": [4, 4], "strides": [2, 2], "padding": "same"}),
    ([1, 4, 6, 5], {"filter_shape": [5, 3], "strides": [2, 3], "padding": "valid", "activation": "relu"}),
    ([1, 3, 3, 3], {"filter_shape": [2, 1], "strides": [3, 1], "padding": "valid"}),
    ([1, 9, 3], {"rank": 1, "filter_shape": [6], "strides": [4], "padding": [[2, 1]]}),
    ([1, 2, 3, 4, 3], {"rank": 3, "filter_shape": [3, 2, 2], "strides": [1, 2, 2], "padding": "valid"}),
]


class Autoscheduled(unittest.TestCase):
    def test_results_are_those_of_the_definition(self):
        for shape, more in LAYERS:
            config = {"input_size": shape[-1], "output_size": 17, **more}
            problem = Problem(config, shape)
            problem.fill()
            _, want, bound = problem.expected()
            with self.subTest(shape=shape, config=config):
                call, fetch = autoscheduled.layer("Mullapudi2016", problem)
                call()
                self.assertTrue((np.abs(fetch() - want) <= bound).all())

    def test_what_it_has_not_is_refused(self):
        base = {"input_size": 2, "output_size": 3, "filter_shape": [3, 3]}
        for more in ({"dilations": [2, 2]}, {"activation": "tanh"}):
            with self.subTest(more=more), self.assertRaises(Refused):
                autoscheduled.parameters(Problem({**base, **more}, [1, 4, 4, 2]))


if __name__ == "__main__":
    unittest.main()
