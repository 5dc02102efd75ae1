"""bench/choices/fit.py finds the prices that times were made from, and chooses well with them."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "choices" / "fit.py"
PRICES = {("wide", "product"): 1.0, ("wide", "box"): 2000.0, ("scatter", "call"): 20000.0,
          ("scatter", "sum"): 2.5}


def journal(layers, seed):
    """Lines as those of `./dev bench --choices`: times are the bills, but for 2% of noise."""
    random = np.random.default_rng(seed)
    lines = [{"name": "refused", "isa": "avx2", "refused": "why"}]
    for number in range(layers):
        bills = {"wide": {"product": random.lognormal(10, 1), "box": float(random.integers(1, 9))},
                 "scatter": {"call": 1.0, "sum": random.lognormal(9, 1)}}
        us = {strategy: 1e-3 * random.normal(1, 0.02)
              * sum(count * PRICES[strategy, name] for name, count in bill.items())
              for strategy, bill in bills.items()}
        lines.append({"name": f"layer_{number}", "isa": "avx2", "us": us, "bills": bills,
                      "bytes": {"x": 64, "y": 64}})
    return "\n".join(json.dumps(line) for line in lines) + "\n"


class Fit(unittest.TestCase):
    def test_finds_the_prices_that_times_were_made_from(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder, f"choices-{seed}.jsonl") for seed in (1, 2)]
            for seed, file in enumerate(files):
                file.write_text(journal(150, seed))
            text = subprocess.run([sys.executable, SCRIPT, files[0], "--isa", "avx2", "--parts", "3",
                                   "--held-out", files[1]], check=True, capture_output=True,
                                  text=True).stdout
        found = {tuple(words[:2]): float(words[2]) for words in map(str.split, text.splitlines())
                 if tuple(words[:2]) in PRICES}
        self.assertEqual(found.keys(), PRICES.keys())
        for term, price in PRICES.items():
            self.assertLess(abs(found[term] / price - 1), 0.2, f"{term}: {found[term]}")
        for what in ("fitted", "left out in turn", "held out"):
            said = next(line for line in text.splitlines() if line.startswith(what))
            self.assertGreater(float(said.split(": ")[1].split("%")[0]), 98, said)


if __name__ == "__main__":
    unittest.main()
