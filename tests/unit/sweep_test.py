"""The generated layers of `./dev bench --sweep`: the same for every run, and within their limits."""

import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "sweep"))
import configurations  # noqa: E402
import worst  # noqa: E402

LAYERS = [configurations.configuration(1, index) for index in range(300)]

MACHINE = {"processor": "P", "family": "F", "instruction_sets": ["avx2"], "threads": 1, "cores": 2,
           "caches": {}, "date": "D", "commit": "C"}


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

    def test_the_report_has_the_slowest_first(self):
        def measured(index, us, peer_us):
            ours = {"us": us, "kernel": "wide", "peak_gflops": 100.0}
            return {**LAYERS[index], "ours": ["upconv"], "peers": {"upconv": ours, "torch": {"us": peer_us}},
                    "operations_in_window": 4e6, "bytes": 1e5, "bandwidth_gbs": 50.0, "machine": MACHINE,
                    "versions": {"upconv": {"peer": "upconv", "version": "1", "isa": "avx2"},
                                 "torch": {"peer": "PyTorch", "version": "2"}}}

        layers = [measured(0, 50.0, 80.0), measured(1, 400.0, 100.0), measured(2, 80.0, 72.0)]
        text = worst.markdown(layers, "./dev bench --sweep 3")
        self.assertIn("Under 0.8: 1.", text)
        bounds, peers = text.split("## Furthest from the bound, of 3")[1].split("## Slowest beside")
        for table, first in ((bounds, ["1", "2", "0"]), (peers, ["1", "2", "0"])):
            rows = [row.split("|")[1].strip() for row in table.splitlines() if "->" in row and "`" in row]
            self.assertEqual(rows, first)
        self.assertIn("| 10% |", bounds)  # 4e6 operations at 100 GFLOP/s are 40 of 400 us


if __name__ == "__main__":
    unittest.main()
