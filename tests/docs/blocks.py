"""Fenced code blocks of a Markdown file, with the attributes after the language:

    ```cpp name=example        {"name": "example"}, language "cpp"
    ```sh run                  {"run": ""}
"""

import dataclasses
import pathlib
import re


@dataclasses.dataclass
class Block:
    path: pathlib.Path
    line: int  # of its first line of text, from 1
    language: str
    attributes: dict
    text: str


def blocks_of(path):
    blocks, lines = [], pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        fence = re.fullmatch(r"```(\w*)(.*)", lines[at])
        at += 1
        if not fence:
            continue
        begin = at
        while at < len(lines) and lines[at] != "```":
            at += 1
        if at == len(lines):
            raise SystemExit(f"{path}:{begin}: the block is not closed")
        attributes = dict((word.split("=", 1) + [""])[:2] for word in fence[2].split())
        text = "".join(line + "\n" for line in lines[begin:at])
        blocks.append(Block(pathlib.Path(path), begin + 1, fence[1], attributes, text))
        at += 1
    return blocks
