"""What the documents say about files, commands and other libraries is so.

    python3 tests/docs/check_docs.py BUILD_FOLDER [unittest arguments]

- Links between documents lead somewhere.
- Blocks marked `run` are run, in the order of the document and in one empty folder per document, in
  which `build`, `schedules` and `bench` are this project's; ```json file=NAME writes that file first.
  A ```text output block is what the block before it printed. `needs=PROGRAM,...`: skipped where one
  of them is not installed.
- docs/cli.md lists every option of the tool and no other; docs/activations.md has the errors that
  the header states.
- docs/reliability.md: every test that it names exists.
- docs/conventions.md: the rules for each peer give the windows of the stored golden cases."""

import ast
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np

from blocks import blocks_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def anchors_of(path):
    """GitHub's names of the headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


class DocsTest(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for path in DOCUMENTS:
            text = path.read_text(encoding="utf-8")
            for link in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
                if re.match(r"https?:", link):
                    continue
                with self.subTest(document=path.name, link=link):
                    file, _, anchor = link.partition("#")
                    target = (path.parent / file) if file else path
                    self.assertTrue(target.exists(), "there is no such file")
                    if anchor:
                        self.assertIn(anchor, anchors_of(target))

    def test_blocks_run_and_print_what_is_shown(self):
        for path in DOCUMENTS:
            blocks = [b for b in blocks_of(path)
                      if b.attributes.keys() & {"run", "file", "output"}]
            if blocks:
                self.run_blocks(blocks)

    def run_blocks(self, blocks):
        environment = {k: v for k, v in os.environ.items() if k != "UPCONV_ISA"}
        with tempfile.TemporaryDirectory(prefix="upconv_docs_") as name:
            folder = pathlib.Path(name)
            (folder / "build").symlink_to(BUILD)
            for tree in ("schedules", "bench"):
                (folder / tree).symlink_to(ROOT / tree)
            printed = None
            for block in blocks:
                with self.subTest(document=block.path.name, line=block.line):
                    needs = block.attributes.get("needs", "").split(",")
                    if any(program and shutil.which(program) is None for program in needs):
                        self.skipTest(f"{needs} are not installed")
                    if "file" in block.attributes:
                        (folder / block.attributes["file"]).write_text(block.text)
                    elif "output" in block.attributes:
                        self.assertEqual(printed, block.text)
                    else:
                        command = {"sh": ["bash", "-euo", "pipefail", "-c", block.text],
                                   "python": [sys.executable, "-c", block.text]}[block.language]
                        result = subprocess.run(command, cwd=folder, env=environment, text=True,
                                                capture_output=True, timeout=240)
                        self.assertEqual(result.returncode, 0, result.stderr)
                        printed = result.stdout

    def test_the_options_of_the_tool_are_all_listed(self):
        text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
        sections = dict(re.findall(r"^## upconv (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))

        def help_of(*arguments):
            return subprocess.run([BUILD / "bin" / "upconv", *arguments, "-h"],
                                  capture_output=True, text=True, check=True).stdout

        commands = re.findall(r"^  (\w+)  ", help_of().partition("Subcommands:")[2], re.M)
        self.assertEqual(sorted(sections), sorted(commands))
        for command, section in sections.items():
            real = set(re.findall(r"(--[a-z-]+)", help_of(command).partition("Options:")[2]
                                  .partition("\n\n")[0])) - {"--help"}
            self.assertEqual(set(re.findall(r"^\| `(--[a-z-]+)", section, re.M)), real, command)

    def test_the_tests_that_are_named_exist(self):
        cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
        if re.search(r"^UPCONV_SANITIZE:\w+=.", cache, re.M):
            self.skipTest("a build with a sanitizer leaves some tests out")
        ctest = re.search(r"^CMAKE_CTEST_COMMAND:\w+=(.*)$", cache, re.M)[1]
        listed = subprocess.run([ctest, "--test-dir", BUILD, "-N"], capture_output=True, text=True,
                                check=True).stdout
        names = set(re.findall(r"^ *Test +#\d+: \w+\.(.*)$", listed, re.M))
        names |= {name.rpartition("/")[0] for name in names}  # once per instruction set
        scripts = "".join(script.read_text(encoding="utf-8") for folder in ("cli", "compiler")
                          for script in sorted((ROOT / "tests" / folder).glob("*_test.py")))
        names |= {f"{suite}.{test}" for suite, body in
                  re.findall(r"^class (\w+)\(.*?\n(.*?)(?=^class |\Z)", scripts, re.M | re.S)
                  for test in re.findall(r"def (test_\w+)", body)}
        text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
        tables = re.findall(r"^\| [^\n]*\| tests \|\n\|[-| ]+\|\n((?:\|.*\n)+)", text, re.M)
        self.assertEqual(len(tables), 4)
        for row in "".join(tables).splitlines():
            cells = row.strip("| ").split(" | ")
            named = re.findall(r"`([^`]+)`", cells[-1])
            self.assertTrue(named or "below" in cells[-1], row)
            for name in named:
                with self.subTest(test=name):
                    self.assertIn(name, names)

    def test_the_errors_of_activations_are_those_of_the_header(self):
        header = (ROOT / "include" / "upconv" / "activation.h").read_text(encoding="utf-8")
        names = [(re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower(), error) for name, error in
                 re.findall(r"^  k(\w+),\s+///<.*; (\d) ulp$", header, re.MULTILINE)]
        table = re.findall(r"^\| `(\w+)` \| .* \| (\d) \|$",
                           (ROOT / "docs" / "activations.md").read_text(encoding="utf-8"), re.M)
        self.assertEqual(sorted(table), sorted(names))
        self.assertEqual(len(table), 10)


# The rules of docs/conventions.md: (output length, offset) on one axis.


def argument(call, name):
    """The value of an argument in the text of a call; words stay words."""
    found = re.search(rf"\b{name}=(\[[^\]]*\]|\([^)]*\)|'[^']*'|[\w.]+)", call)
    if not found:
        return None
    return ast.literal_eval(found[1]) if found[1][0] in "[('0123456789" else found[1]


def window_of(config, axis, i):
    k, s, d = (listed(config.get(key, 1), config["rank"])[axis]
               for key in ("filter_shape", "strides", "dilations"))
    extra = config.get("output_padding")
    op = None if extra is None else listed(extra, config["rank"])[axis]
    reach = (k - 1) * d + 1
    full, padding = (i - 1) * s + reach, config.get("padding", "valid")
    if padding == "valid":
        return (i - 1) * s + max(reach, s) if op is None else full + op, 0
    if padding == "same":
        output = i * s if op is None else (i - 1) * s + reach % 2 + op
        return output, max(full - output, 0) // 2
    begin, end = padding[axis]
    return full + (op or 0) - begin - end, begin


def listed(value, rank, absent=0):
    if value is None:
        value = absent
    return list(value) if isinstance(value, (list, tuple)) else [value] * rank


def peer_window(peer, call, axis, rank, i, k, s, d):
    reach = (k - 1) * d + 1
    full = (i - 1) * s + reach
    op = listed(argument(call, "output_padding"), rank)[axis]
    if peer == "tensorflow":
        output = argument(call, "output_shape")[1 + axis]
        return output, 0 if "'VALID'" in call else max(full - output, 0) // 2
    if peer == "torch":
        crop = listed(argument(call, "padding"), rank)[axis]
        size = argument(call, "output_size")
        return (full - 2 * crop + op if size is None else size[axis]), crop
    auto, pads, shape = (argument(call, n) for n in ("auto_pad", "pads", "output_shape"))
    if shape is not None:
        total = full + op - shape[axis]
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        total = max(reach + op - s, 0)
    elif pads:
        return full + op - pads[axis] - pads[axis + rank], pads[axis]
    else:
        return full + op, 0
    crop = max(total, 0)
    return full + op - total, crop // 2 if auto == "SAME_UPPER" else crop - crop // 2


class ConventionsTest(unittest.TestCase):
    def test_rules_give_the_windows_of_the_golden_cases(self):
        golden = ROOT / "tests" / "golden"
        for peer in ("tensorflow", "torch", "onnxruntime"):
            arrays = np.load(golden / f"{peer}.npz")
            for case in json.loads((golden / f"{peer}.json").read_text()):
                config = case["config"]
                rank = config["rank"]
                shape = arrays[case["index"] + "_x"].shape[-rank - 1:-1]
                for axis, i in enumerate(shape):
                    k, s, d = (listed(config.get(key, 1), rank)[axis]
                               for key in ("filter_shape", "strides", "dilations"))
                    with self.subTest(case=case["name"], axis=axis):
                        self.assertEqual(
                            peer_window(peer, case["peer_call"], axis, rank, i, k, s, d),
                            window_of(config, axis, i))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
