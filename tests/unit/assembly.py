"""The innermost loops of a kernel, out of the assembly that Halide writes beside its object.

Knows what LLVM writes for x86-64 (AT&T syntax) and AArch64. Which blocks form a loop is in LLVM's
own comments: one is its `This Inner Loop Header`, the others are `in Loop: Header=` that one.
"""

import collections
import dataclasses
import pathlib
import re

BLOCK = re.compile(r"\.L(BB\w+):|(?:#|//) %(bb\.\d+):")
INNERMOST = re.compile(r"=>\s+This Inner Loop Header")
MEMBER = re.compile(r"in Loop: Header=(BB\w+)")
INSTRUCTION = re.compile(r"\t([a-z]\w*(?:\.\w+)?)(?:\s+(.*))?$")


@dataclasses.dataclass(frozen=True)
class Syntax:
    """How an instruction set writes what is counted."""

    comment: str
    multiply_add: re.Pattern  # mnemonics: a product of two vectors, fused with the sum or not
    vector: re.Pattern  # in operands: a vector register
    move: re.Pattern  # mnemonics that copy one register to another
    store: re.Pattern  # an instruction that writes a vector register to memory
    stack: str  # in operands: an address based on the stack pointer
    frame: str  # the same of a frame pointer ...
    makes_frame: re.Pattern  # ... in a function with such a line


X86 = Syntax(
    comment="#",
    multiply_add=re.compile(r"v?fn?m(add|sub)\d+p[sd]|v?mulp[sd]"),
    vector=re.compile(r"%[xyz]mm\d"),
    move=re.compile(r"v?mov[au]p[sd]"),
    store=re.compile(r"v?mov\w+ %[xyz]mm\d+, .*\)"),
    stack=r"\(%rsp\b",
    frame=r"\(%rbp\b",
    makes_frame=re.compile(r"\tmovq\s+%rsp, %rbp"),
)
AARCH64 = Syntax(
    comment="//",
    multiply_add=re.compile(r"fmla"),
    vector=re.compile(r"\b[vqds]\d"),
    move=re.compile(r"mov"),
    store=re.compile(r"st\w+ [{ ]*[vqdsz]\d"),
    stack=r"\[sp\b",
    frame=r"\[x29\b",
    makes_frame=re.compile(r"\t(mov|add)\s+x29, sp"),
)


@dataclasses.dataclass(frozen=True)
class Loop:
    """The instructions of a loop."""

    multiply_adds: int  # of whole vectors
    vector_stack: int  # a vector register saved to the stack or read from there
    other_stack: int  # the same of addresses and counters
    stores: int  # a vector register written to memory, the stack or other
    prefetches: int
    moves: int  # copies from vector register to vector register
    instructions: int  # all
    blocks: int  # more than one where there is a branch in the loop

    @property
    def stack(self):
        return self.vector_stack + self.other_stack


def innermost_loops(path):
    """The innermost loops of a kernel, in no order."""
    lines = pathlib.Path(path).read_text().splitlines()
    syntax = AARCH64 if any("// -- Begin function" in line for line in lines) else X86
    address = syntax.stack
    if any(syntax.makes_frame.match(line) for line in lines):
        address += "|" + syntax.frame

    code = collections.defaultdict(list)  # of a loop, by the name of its header
    blocks = collections.defaultdict(set)
    innermost, block, loop = set(), None, None
    for line in lines:
        if match := BLOCK.match(line):
            block, loop = match[1] or match[2], None
        if INNERMOST.search(line):
            loop = block
            innermost.add(loop)
        elif match := MEMBER.search(line):
            loop = match[1]
        elif match := INSTRUCTION.match(line.split(syntax.comment)[0].rstrip()):
            code[loop].append((match[1], match[2] or ""))
            blocks[loop].add(block)
    address = re.compile(address)
    return [count(code[name], len(blocks[name]), syntax, address) for name in innermost]


def count(code, blocks, syntax, address):
    stack = [bool(syntax.vector.search(operands)) for _, operands in code if address.search(operands)]
    return Loop(
        multiply_adds=sum(bool(syntax.multiply_add.fullmatch(name)) for name, _ in code),
        vector_stack=sum(stack),
        other_stack=len(stack) - sum(stack),
        stores=sum(bool(syntax.store.match(f"{name} {operands}")) for name, operands in code),
        prefetches=sum(name.startswith(("prefetch", "prfm")) for name, _ in code),
        moves=sum(
            bool(syntax.move.fullmatch(name)) and len(syntax.vector.findall(operands)) == 2
            for name, operands in code
        ),
        instructions=len(code),
        blocks=blocks,
    )
