"""The generated layers of `./dev bench --sweep`: the same for every run, and within their limits."""

import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "sweep"))
import configurations  # noqa: E402

LAYERS = [configurations.configuration(1, index) for index in range(300)]


class Sweep(unittest.TestCase):
    def test_a_seed_and_an_index_are_one_layer(self):
        for index in (0, 17, 299):
            self.assertEqual(configurations.configuration(1, index), LAYERS[index])
            self.assertNotEqual(configurations.configuration(2, index)["config"],
                                LAYERS[index]["config"])

    def test_known_layers_are_generated_again(self):
        """A report names layers by seed and index: they must not change with this code."""
        self.assertEqual(
            LAYERS[7],
            {"name": "long_filter_7", "family": "long_filter", "index": 7, "input": [1, 49, 25],
             "config": {"rank": 1, "input_size": 25, "output_size": 48, "filter_shape": [25],
                        "strides": [12], "dilations": [1], "padding": [[6, 6]]}})

    def test_sizes_are_within_the_limits(self):
        for layer in LAYERS:
            operations, size, _ = configurations.sizes_of(layer["config"], layer["input"])
            with self.subTest(layer=layer["name"]):
                self.assertLessEqual(operations, 20e9)
                self.assertLessEqual(size, 2**30)
                self.assertGreater(operations, 0)

    def test_what_was_promised_comes_up(self):
        configs = [layer["config"] for layer in LAYERS]
        for rank in (1, 2, 3):
            self.assertGreater(sum(c["rank"] == rank for c in configs), 30)
        self.assertGreater(max(c["input_size"] for c in configs), 1500)
        self.assertGreater(max(max(c["strides"]) for c in configs), 100)
        self.assertTrue(any(c["filter_shape"] == [1024] for c in configs))
        self.assertTrue(any(max(layer["input"][1:-1]) > 400 for layer in LAYERS))
        for c in configs:
            self.assertTrue(all(1 <= n <= 2048 for n in (c["input_size"], c["output_size"])))
        both = [c for c in configs if math.prod(c["dilations"]) > 1 and math.prod(c["strides"]) > 1]
        self.assertGreater(len(both), 10)


if __name__ == "__main__":
    unittest.main()
