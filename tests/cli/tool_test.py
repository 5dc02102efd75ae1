"""The command-line tool as a user meets it: help, usage, `summary` and `kernels`.

    python3 tests/cli/tool_test.py build/bin/upconv [unittest arguments]
"""

import json
import os
import subprocess

from support import BASE, CliTest, Tool, main, run


class Usage(CliTest):
    def test_help_everywhere(self):
        for command in ([], ["apply"], ["import"], ["summary"], ["kernels"], ["bench"]):
            for option in ("-h", "--help"):
                result = run(*command, option)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                for word in command or ["apply", "import", "summary", "kernels", "bench"]:
                    self.assertIn(word, result.stdout)

    def test_version(self):
        result = run("--version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"^upconv \d+\.\d+\.\d+\n$")

    def test_no_command_and_an_unknown_one(self):
        self.assert_error(run(), 2)
        self.assert_error(run("enlarge"), 2)

    def test_standard_output_that_is_full(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        with open("/dev/full", "w") as full:
            result = subprocess.run([Tool.path, "kernels"], stdout=full, stderr=subprocess.PIPE,
                                    text=True, timeout=120)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.count("\n"), 1)


class Summary(CliTest):
    def test_names_and_counts(self):
        result = run("summary", "--config", self.write_config(dict(BASE, name="decoder")))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("decoder", result.stdout)
        self.assertIn(str(3 * 3 * 3 * 4 + 4), result.stdout.replace(",", ""))

    def test_says_how_a_shape_would_be_computed(self):
        config = {"input_size": 64, "output_size": 64, "filter_shape": 3, "padding": "same"}
        for arithmetic, strategy in (("fast", "winograd"), ("direct", "wide")):
            path = self.write_config(dict(config, name="decoder", arithmetic=arithmetic))
            result = run("summary", "--config", path, "--input-shape", "1,56,56,64")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            last = result.stdout.splitlines()[-1]
            self.assertTrue(last.startswith("decoder: [1, 56, 56, 64] -> [1, 56, 56, 64] by "), last)
            self.assertIn(f"strategy {strategy}, arithmetic {arithmetic}; ", last)
        self.assert_error(run("summary", "--config", path, "--input-shape", "1,56"), 2, "input")

    def test_mistakes(self):
        self.assert_error(run("summary", "--config", self.path("nowhere.json")), 1, "nowhere.json")
        self.assert_error(run("summary", "--config", self.folder), 1, str(self.folder))
        self.assert_error(run("summary", "--config", self.write_config(dict(BASE, strides=0))), 2,
                          "layer.json", "strides")
        self.assert_error(run("summary"), 2, "--config")


class Kernels(CliTest):
    def test_json(self):
        result = run("kernels", "--json")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        rows = json.loads(result.stdout)
        self.assertTrue(any(row["runnable"] for row in rows))
        self.assertEqual(len({row["name"] for row in rows}), len(rows))
        for row in rows:
            self.assertEqual(list(row), ["name", "strategy", "rank", "dtype", "isa", "runnable"])
            self.assertIn(row["rank"], (1, 2, 3))
            self.assertIn(row["dtype"], ("float32", "float64"))
            self.assertIs(type(row["runnable"]), bool)

    def test_table_has_the_same_rows(self):
        names = [row["name"] for row in json.loads(run("kernels", "--json").stdout)]
        lines = run("kernels").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines[1:]], names)


if __name__ == "__main__":
    main()
