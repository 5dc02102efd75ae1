"""The hot loop of every tile kernel keeps its accumulators in registers: no stack traffic at all.

usage: hot_loops_test.py KERNELS_JSON FOLDER

FOLDER holds the assembly of every row of KERNELS_JSON (schedules/kernels.json). A hot loop is an
innermost loop without a branch in it that makes `pixels * vectors * unroll` multiply-adds; a kernel
without one fails. A kernel fails by its first instruction that touches the stack, one that is KNOWN
to by one more than that; and one that no longer does fails until it is taken off the list.

A kernel that asks for weights ahead (generators/prefetch.h) has a hot loop that does so once per
input channel, for few tiles, where a row of weights has several lines one that does so twice, for
still fewer, and one that does so once in all; all for the second-level cache.
Each instruction set with fused multiply-adds has such kernels. The tallest tiles of AVX-512 have a
loop that asks for lines of x and y besides.
"""

import itertools
import json
import math
import pathlib
import re
import sys
import typing

from assembly import innermost_loops

#: Instructions of the hot loop that touch the stack.
KNOWN = {
    # 16 registers, and without a fused multiply-add a product needs one beside 12 sums, 3 weights
    # and an input.
    "wide_float32_sse41_4x3": 2,
    "wide_float64_sse41_4x3": 4,
    "wide_float32_sse41_4x3_listed": 2,
    "wide_float64_sse41_4x3_listed": 2,
    # 16 inputs, each with a place in x, of which integer registers hold 11; sums stay.
    **{f"scatter_float32_avx512_{columns}columns": 5 for columns in (1, 2, 3, 6)},
    "scatter_float32_avx512_4columns": 6,
}
#: The same of single loops of a kernel, whose others have none: the one that asks for x and y, whose
#: addresses are beside those of 8 or 6 inputs and the weights, and those that ask for two lines.
KNOWN_LOOPS = {
    "wide_float32_avx512_8x3": [5],
    "wide_float64_avx512_8x3": [1, 1, 5],
    "wide_float32_avx512_6x4": [1],
    "wide_float64_avx512_6x4": [1],
}
#: Channels that a kernel of few columns takes at a time (generators/few_columns.h).
QUAD = 4
#: Bytes of a cache line, and of an element.
LINE, BYTES = 64, {"float32": 4, "float64": 8}


class Row(typing.NamedTuple):
    multiply_adds: int  # of the hot loop
    unroll: int         # steps of the tile in it
    tallest: int        # tile of the family
    row_bytes: int      # of weights that a step reads


def tile_rows(table):
    """{kernel's name: what a row says of it}."""
    rows = {}
    for kind, name_of in (("wide", "wide_{}"), ("listed", "wide_{}_listed"), ("narrow", "narrow_{}")):
        for isa, tiles in table[kind].items():
            for dtype, tile in itertools.product(table["targets"][isa]["lanes"], tiles):
                for pixels in tile["pixels"]:
                    name = name_of.format(f"{dtype}_{isa}_{pixels}x{tile['vectors']}")
                    lanes = table["targets"][isa]["lanes"][dtype]
                    rows[name] = Row(pixels * tile["vectors"] * tile["unroll"], tile["unroll"],
                                     tile["pixels"][0], tile["vectors"] * lanes * BYTES[dtype])
    for isa, counts in table["few_columns"].items():
        for dtype, lanes in table["targets"][isa]["lanes"].items():
            for columns in counts if lanes >= QUAD else ():
                if 2 * columns <= lanes:
                    rows[f"scatter_{dtype}_{isa}_{columns}columns"] = Row(
                        QUAD * columns, QUAD, lanes, columns * BYTES[dtype])
    return rows


def hot_loops(path, multiply_adds):
    found = innermost_loops(path)
    return [v for v in found if v.blocks == 1 and v.multiply_adds == multiply_adds]


def hints_of(path):
    """The prefetches of a kernel, by name."""
    return re.findall(r"\t(prefetch\w*|prfm)\b", path.read_text())


def far_hints(name, tallest, unroll):
    """Prefetches of the loop that asks for x and y; none: the kernel has no such loop."""
    _, dtype, isa, tile = name.split("_")
    pixels = int(tile.split("x")[0])
    if isa != "avx512" or pixels != tallest:
        return set()
    return {1 + math.ceil(pixels * unroll * BYTES[dtype] / LINE) + 1}


def wrong_hints(hints, loops, row, far):
    """What is wrong with the prefetches of a kernel that has some."""
    if set(hints) != {"prefetcht1"}:
        return f"it has {', '.join(sorted(set(hints)))}; all should be prefetcht1"
    found = {loop.prefetches for loop in loops}
    expected = {1, row.unroll} | far
    if row.row_bytes > LINE:
        expected.add(2 * row.unroll)
    if found == expected:
        return None
    return f"its hot loops have {sorted(found)} prefetches; they should have {sorted(expected)}"


def explain_loops(loops, known):
    """As explain(), where single loops are known to touch the stack."""
    found = sorted(loop.stack for loop in loops if loop.stack > 0)
    if len(found) < len(known):
        return f"{len(found)} of its hot loops touch the stack, no longer {len(known)}"
    if len(found) > len(known) or any(f > k for f, k in zip(found, known)):
        return f"{found} instructions of its hot loops touch the stack; at most {known} may"
    return None


def explain(loops, most):
    """What is wrong with a kernel, if anything is."""
    if not loops:
        return "no loop makes one step's multiply-adds and nothing else"
    found = max(loop.stack for loop in loops)
    if found > most:
        return f"{found} instruction(s) of the hot loop touch the stack; at most {most} may"
    if found == 0 and most > 0:
        return "its hot loop no longer touches the stack: take it off the list"
    return None


def main():
    table, folder = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    rows = tile_rows(table)
    failed = [f"{name}: known, and no row of the table" for name in (*KNOWN, *KNOWN_LOOPS)
              if name not in rows]
    hinting = set()
    for name, row in rows.items():
        path = folder / f"upconv_{name}.s"
        loops = hot_loops(path, row.multiply_adds)
        if name in KNOWN_LOOPS:
            wrong = explain_loops(loops, KNOWN_LOOPS[name])
        else:
            wrong = explain(loops, KNOWN.get(name, 0))
        if hints := hints_of(path):
            hinting.add(name.split("_")[2])
            far = far_hints(name, row.tallest, row.unroll)
            wrong = wrong or wrong_hints(hints, loops, row, far)
        if wrong:
            failed.append(f"{name}: {wrong}")
    if missing := {"avx2", "avx512"} & set(table["wide"]) - hinting:
        failed.append(f"no kernel of {', '.join(sorted(missing))} asks for weights ahead")
    print(*failed, f"{len(rows)} kernels; {len(KNOWN) + len(KNOWN_LOOPS)} are known to touch the stack", sep="\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
