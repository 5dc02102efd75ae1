"""The report of `./dev bench --choices`: how often the chosen strategy is close to the best one."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "choices"))
import choices  # noqa: E402

MACHINE = {"processor": "P", "family": "F", "cores": 2, "date": "D", "commit": "C"}


def line(name, chosen, listed=True, **us):
    return {"name": name, "listed": listed, "isa": "avx2", "costs": dict.fromkeys(us, 1.0),
            "chosen": chosen, "us": us}


class Choices(unittest.TestCase):
    def test_regret_is_the_chosen_time_over_the_best(self):
        self.assertEqual(choices.regret(line("a", "wide", wide=10.0, narrow=8.0)), 1.25)
        self.assertEqual(choices.regret(line("a", "narrow", wide=10.0, narrow=8.0)), 1.0)

    def test_strategies_are_compared_within_rounds(self):
        # The machine halves its speed in the third of five rounds, after `wide` was timed.
        found = choices.together({"wide": [10.0, 10.0, 10.0, 20.0, 20.0],
                                  "narrow": [11.0, 11.0, 22.0, 22.0, 22.0]})
        self.assertAlmostEqual(found["narrow"] / found["wide"], 1.1)
        self.assertGreater(found["wide"], 9.9)
        self.assertLess(found["wide"], 20.1)

    def test_the_report_counts_close_choices_and_names_the_others(self):
        lines = [line("good", "wide", wide=10.0, narrow=9.5), line("bad", "wide", wide=30.0, scatter=20.0),
                 line("other", "narrow", listed=False, wide=7.0, narrow=5.0),
                 {"name": "refused", "listed": False, "isa": "avx2", "refused": "why"}]
        text = choices.markdown(lines, MACHINE, "./dev bench --choices 2")
        rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines()
                if row.startswith("| avx2")]
        self.assertEqual(rows[0][:4], ["avx2", "listed", "2", "50.0%"])
        self.assertEqual(rows[0][5:], ["1.50", "35.6%"])  # 40 us in the place of 29.5
        self.assertEqual(rows[1][:4], ["avx2", "generated", "1", "100.0%"])
        missed = text.split("Layers whose choice")[1]
        self.assertIn("| `bad` | avx2 | - | 20.0 | **30.0** | 1.50 |", missed)
        self.assertNotIn("good", missed)


if __name__ == "__main__":
    unittest.main()
