"""`upconv apply` as a user runs it: values of random layers against the definition
(tests/golden/reference.py), files that NumPy writes and reads.

    python3 tests/cli/apply_test.py build/bin/upconv [unittest arguments]
"""

import numpy as np

from support import BASE, SEED, ApplyCase, main, random_layer, reference, run, runnable_isas


CASES = 40


class Apply(ApplyCase):
    def test_random_layers(self):
        isas = runnable_isas()
        for case in range(CASES):
            generator = np.random.default_rng([SEED, case])
            config, extents = random_layer(generator, 9, (1, 2, 8, 17, 33), empty=True)
            dtype = config.get("dtype", "float32")
            rank = config["rank"]
            batch = tuple(int(n) for n in generator.integers(1, 4, generator.integers(0, 3)))
            x = generator.standard_normal(batch + extents + (config["input_size"],)).astype(dtype)
            kernel = generator.standard_normal(
                tuple(config["filter_shape"]) + (config["input_size"], config["output_size"])
            ).astype(dtype)
            arrays = [kernel]
            bias = None
            if config.get("use_bias", True):
                bias = generator.standard_normal(config["output_size"]).astype(dtype)
                arrays.insert(int(generator.integers(2)), bias)
            save = np.savez if generator.random() < 0.5 else np.savez_compressed
            save(self.path("w.npz"), *arrays)
            np.save(self.path("x.npy"), np.asfortranarray(x) if generator.random() < 0.3 else x)
            self.write_config(config)
            for isa in isas:
                with self.subTest(case=case, isa=isa, config=config, x=x.shape):
                    threads = int(generator.integers(1, 4))
                    result = self.apply("--threads", threads, env={"UPCONV_ISA": isa})
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                    got = np.load(self.path("y.npy"))
                    self.assertIsNone(
                        reference.difference(config, x, kernel, bias, got, exact=False))

    def test_integers_are_exact_on_every_isa(self):
        for isa in runnable_isas():
            with self.subTest(isa=isa):
                self.assert_applies(self.y, np.float32, env={"UPCONV_ISA": isa})
                self.assert_applies(self.y, np.float32, "--isa", isa)

    def test_threads_change_no_bit(self):
        x = np.random.default_rng(1).standard_normal((3, 9, 7, 3)).astype(np.float32)
        np.save(self.path("x.npy"), x)
        results = []
        for threads in ("1", "2", "5"):
            self.assertEqual(self.apply("--threads", threads).returncode, 0)
            results.append(self.path("y.npy").read_bytes())
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0], results[2])

    def test_input_of_either_dtype_and_order_is_rounded_to_the_layers(self):
        np.save(self.path("x64.npy"), np.asfortranarray(self.x.astype(np.float64)))
        self.assert_applies(self.y, np.float32, input="x64.npy")
        self.write_config(dict(BASE, dtype="float64"))
        self.assert_applies(self.y, np.float64)
        np.save(self.path("big_endian.npy"), self.x.astype(">f4"))
        self.assert_applies(self.y, np.float64, input="big_endian.npy")

    def test_no_batch_axis_and_many(self):
        np.save(self.path("x.npy"), self.x[0])
        self.assert_applies(self.y[0], np.float32)
        np.save(self.path("x.npy"), self.x[None, None])
        self.assert_applies(self.y[None, None], np.float32)

    def test_empty_batch(self):
        np.save(self.path("x.npy"), self.x[:0])
        self.assert_applies(self.y[:0], np.float32)

    def test_output_is_replaced(self):
        self.path("y.npy").write_text("old")
        self.assert_applies(self.y, np.float32)

    def test_an_entry_as_configuration(self):
        self.write_config({"name": "up", "source": "here", "input": [1, 5, 4, 3], "config": BASE})
        self.assert_applies(self.y, np.float32)

    def test_a_list_of_layers(self):
        second = {"input_size": 4, "output_size": 2, "filter_shape": [2, 2], "strides": [2, 2],
                  "use_bias": False, "activation": "relu"}
        kernel = np.random.default_rng(2).integers(-2, 3, (2, 2, 4, 2)).astype(np.float32)
        self.write_config({"layers": [BASE, second]})
        np.savez(self.path("w.npz"), self.bias, self.kernel, kernel)
        self.assert_applies(reference.conv_transpose(second, self.y, kernel), np.float32)


if __name__ == "__main__":
    main()
