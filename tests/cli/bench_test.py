"""`upconv bench`: what it prints, and of which layers.

    python3 tests/cli/bench_test.py build/bin/upconv [unittest arguments]
"""

import json

import numpy as np

from support import BASE, CliTest, main, run, runnable_isas


class Bench(CliTest):
    KEYS = ["min_ms", "median_ms", "gflops", "peak_gflops", "fraction_of_peak", "bound",
            "fraction_of_bound", "kernel", "strategy", "arithmetic", "reason", "isa", "threads",
            "one_thread_ms", "gain", "bound_gain", "pack_ms", "copy_ms", "packed_copy_ms",
            "new_shape_first_ms", "new_shape_warm_ms", "packed_bytes", "scratch_bytes"]

    def check(self, got, shape, taps, output_size):
        self.assertLessEqual(got["min_ms"], got["median_ms"])
        operations = 2 * np.prod(shape) * taps * output_size
        self.assertAlmostEqual(got["gflops"] * got["min_ms"] * 1e6 / operations, 1, 5)
        self.assertAlmostEqual(got["gflops"] / got["peak_gflops"], got["fraction_of_peak"], 5)
        self.assertIn(got["bound"], ("compute", "memory", "both", "overhead"))
        self.assertAlmostEqual(got["one_thread_ms"] / got["min_ms"], got["gain"], 5)
        if got["threads"] == 1:
            self.assertEqual((got["gain"], got["bound_gain"]), (1, 1))
        for key in ("one_thread_ms", "bound_gain", "pack_ms", "copy_ms", "packed_copy_ms",
                    "new_shape_first_ms", "new_shape_warm_ms"):
            self.assertGreater(got[key], 0)
        self.assertGreater(got["fraction_of_bound"], 0)
        self.assertGreaterEqual(got["packed_bytes"], 4 * taps * shape[-1] * output_size)
        self.assertGreaterEqual(got["scratch_bytes"], 0)
        rows = {row["name"]: row for row in json.loads(run("kernels", "--json").stdout)}
        # The strategy that multiplies first has no kernels of its own.
        of = "wide" if got["strategy"] == "scatter" else got["strategy"]
        self.assertEqual(rows[got["kernel"]]["strategy"], of)
        self.assertEqual(rows[got["kernel"]]["isa"], got["isa"])

    def bench(self, *arguments, env=None):
        result = run("bench", *arguments, "--seconds", "0.05", "--json", env=env)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def test_json(self):
        config = self.write_config(BASE)
        for isa in runnable_isas():
            for threads in (1, 2):
                # Not square: XNNPACK's benchmark once counted the width twice.
                got = self.bench("--config", config, "--input-shape", "2,16,12,3", "--threads",
                                 threads, env={"UPCONV_ISA": isa})
                self.assertEqual(list(got), self.KEYS)
                self.assertEqual((got["isa"], got["threads"]), (isa, threads))
                self.check(got, (2, 16, 12, 3), 9, 4)

    def test_input_of_an_entry(self):
        config = self.write_config({"input": [1, 8, 8, 3], "config": dict(BASE, activation="gelu")})
        self.check(self.bench("--config", config), (1, 8, 8, 3), 9, 4)

    def test_list_of_layers(self):
        entries = [{"name": name, "input": [1, 4, 4, 3], "config": BASE} for name in ("a", "b")]
        layers = self.write_config(json.dumps(entries), "layers.json")
        self.assertEqual([row["name"] for row in self.bench("--layers", layers)], ["a", "b"])
        self.assertEqual([row["name"] for row in self.bench("--layers", layers, "--only", "b")],
                         ["b"])
        self.assert_error(run("bench", "--layers", layers, "--only", "c"), 2, "--only", "c", "a, b")

    def test_table(self):
        result = run("bench", "--config", self.write_config(BASE), "--input-shape", "1,4,4,3",
                     "--seconds", "0.05")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("GFLOP/s", result.stdout)

    def test_mistakes(self):
        config = self.write_config(BASE)
        self.assert_error(run("bench", "--config", config), 2, "--input-shape")
        for shape in ("", "1,2,", "1,x", "-1,4,4,3", "1;2"):
            self.assert_error(run("bench", "--config", config, "--input-shape", shape), 2,
                              "--input-shape")
        self.assert_error(run("bench", "--config", config, "--input-shape", "1,4,4,2"), 2, "2", "3")
        self.assert_error(run("bench", "--config", config, "--input-shape", "4,3"), 2, "[4, 3]")
        self.assert_error(run("bench"), 2, "--config")
        model = self.write_config({"layers": [BASE]}, "model.json")
        self.assert_error(run("bench", "--config", model, "--input-shape", "1,4,4,3"), 2,
                          "model.json", "layers")


if __name__ == "__main__":
    main()
