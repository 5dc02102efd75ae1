"""The changes that `./dev tune` tries: each is a table that the build takes, written in the file's
own layout; and what it makes of measurements."""

import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "tune"))
import moves  # noqa: E402
import tune  # noqa: E402

TEXT = (ROOT / "schedules" / "kernels.json").read_text()
TABLE = json.loads(TEXT)
KINDS = ["tiles", "sizes"]


def all_moves():
    for isa in TABLE["targets"]:
        yield from ((isa, *move) for move in moves.moves(TABLE, isa, {"wide", "narrow"}, KINDS))


class Moves(unittest.TestCase):
    def test_each_changes_one_thing_and_is_written_in_place(self):
        for _, text, table in all_moves():
            with self.subTest(move=text):
                written = moves.rewrite(TEXT, TABLE, table)
                self.assertEqual(json.loads(written), table)
                changed = [pair for pair in zip(TEXT.splitlines(), written.splitlines())
                           if pair[0] != pair[1]]
                self.assertEqual(len(changed), 1)
                self.assertEqual(len(TEXT.splitlines()), len(written.splitlines()))

    def test_tiles_stay_what_the_library_takes(self):
        for isa, text, table in all_moves():
            for row in table["wide"][isa] + table["listed"][isa]:
                with self.subTest(move=text, row=row):
                    self.assertTrue(all(240 % height == 0 for height in row["pixels"]))
                    self.assertEqual(row["pixels"], sorted(set(row["pixels"]), reverse=True))
                    self.assertEqual(row["pixels"][-1], 1)
                    self.assertLessEqual(row["pixels"][0], 24)

    def test_only_what_the_layers_use_is_tried(self):
        texts = [text for text, _ in moves.moves(TABLE, "avx2", {"winograd"}, KINDS)]
        self.assertTrue(any(text.startswith("wide avx2") for text in texts))
        self.assertFalse(any(text.startswith(("listed", "narrow")) for text in texts))
        self.assertFalse(any("avx512" in text for text in texts))


class Tune(unittest.TestCase):
    def test_better_is_faster_on_average_and_slower_nowhere(self):
        self.assertTrue(tune.verdict({"a": 1.05, "b": 0.99})[1])
        self.assertFalse(tune.verdict({"a": 1.5, "b": 0.9})[1])
        self.assertFalse(tune.verdict({"a": 1.004, "b": 1.004})[1])
        self.assertFalse(tune.verdict({"a": 2.0, "b": "wrong result"})[1])

    def test_a_log_goes_on_and_forgets_a_line_that_was_cut_off(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "tune.jsonl")
            tune.Log(path, {"isa": "avx2"}).get(("base", "one"), lambda: {"a": 1.0})
            with open(path, "a", encoding="utf-8") as file:
                file.write('{"key": ["base", "two"], "rat')
            log = tune.Log(path, {"isa": "avx2"})
            self.assertEqual(log.get(("base", "one"), self.fail), {"a": 1.0})
            self.assertEqual(log.get(("base", "two"), lambda: {"a": 2.0}), {"a": 2.0})
            again = tune.Log(path, {"isa": "avx2"})
            self.assertEqual(again.get(("base", "two"), self.fail), {"a": 2.0})
            with self.assertRaises(SystemExit):
                tune.Log(path, {"isa": "avx512"})


if __name__ == "__main__":
    unittest.main()
