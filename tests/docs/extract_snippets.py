"""Writes the C++ snippets of a Markdown file, each into a file of its own that a test includes.

    python3 extract_snippets.py README.md FOLDER NAME...

Every ```cpp block must have a name, as in ```cpp name=example, and the names must be those given, so
that no snippet is left untested. FOLDER/NAME.inc begins with a #line, so that compilers and
debuggers name the Markdown file's line. A ```text block with a name, what a snippet prints, goes
into FOLDER/NAME.txt."""

import pathlib
import sys

from blocks import blocks_of


def main():
    source, folder, expected = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    files, names = {}, []
    for block in blocks_of(source):
        name = block.attributes.get("name")
        if block.language == "cpp":
            if not name or name in names:
                sys.exit(f"{source}:{block.line}: the block needs a name of its own, as in"
                         " ```cpp name=example")
            names.append(name)
            files[f"{name}.inc"] = f'#line {block.line} "{source}"\n{block.text}'
        elif name:
            files[f"{name}.txt"] = block.text
    if sorted(names) != sorted(expected):
        sys.exit(f"{source}: the C++ blocks are {', '.join(names)}; the build expects"
                 f" {', '.join(expected)} (tests/CMakeLists.txt)")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
