"""The table of kernels (schedules/kernels.json), and the changes to it that tuning tries."""

import copy
import re

HEIGHTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 20, 24)  # of which 240 is a multiple
UNROLLS = (1, 2, 4, 8)
REGISTERS = {"sse41": 16, "avx2": 16, "avx512": 32, "neon": 32}


def tile_moves(table, strategy, isa):
    """(text, changed table) for every row: unroll, the tallest tile, cost."""
    for at, row in enumerate(table[strategy][isa]):
        vectors, pixels = row["vectors"], row["pixels"]
        name = f"{strategy} {isa} {pixels[0]}x{vectors}"

        def changed(key, value, at=at):
            other = copy.deepcopy(table)
            other[strategy][isa][at][key] = value
            return other

        for unroll in neighbours(UNROLLS, row["unroll"]):
            yield f"{name}: unroll {row['unroll']} -> {unroll}", changed("unroll", unroll)
        if strategy != "narrow":  # a narrow row has one height, and its neighbours have rows
            for height in neighbours(HEIGHTS, pixels[0]):
                if height * vectors + min(height, vectors) + 1 <= REGISTERS[isa] and height > 1:
                    heights = [height] + [h for h in pixels if h < height]
                    yield f"{name}: tallest tile {pixels[0]} -> {height}", changed("pixels", heights)
        if strategy == "listed":
            for most in (row["most_inputs"] // 2, row["most_inputs"] * 2):
                yield f"{name}: most_inputs {row['most_inputs']} -> {most}", changed("most_inputs", most)
            continue
        for factor in (0.9, 1.1):
            cost = float(f"{row['cost'] * factor:.3g}")
            yield f"{name}: cost {row['cost']} -> {cost}", changed("cost", cost)


def size_moves(table, isa):
    """(text, changed table) for the sizes that work is cut for: half and double."""
    for name, size in table["targets"][isa]["sizes"].items():
        if "thread_" in name:  # says when a thread pays, not how one works
            continue
        for other_size in (size // 2, size * 2):
            other = copy.deepcopy(table)
            other["targets"][isa]["sizes"][name] = other_size
            yield f"{isa}: {name} {size} -> {other_size}", other


def neighbours(values, value):
    """The values just below and above."""
    below, above = [v for v in values if v < value], [v for v in values if v > value]
    return below[-1:] + above[:1]


def moves(table, isa, strategies, kinds):
    """All changes that can matter to layers of these strategies, in a fixed order."""
    if "sizes" in kinds:
        yield from size_moves(table, isa)
    if "tiles" in kinds:
        # What all others but narrow multiply with are the wide strategy's tiles.
        users = {"wide": {"wide", "scatter", "winograd"}, "listed": {"wide"}, "narrow": {"narrow"}}
        for kind, strategies_of in users.items():
            if strategies_of & set(strategies):
                yield from tile_moves(table, kind, isa)


def rewrite(text, before, after):
    """The file's text with what differs between two tables changed: its layout stays."""
    for isa, target in after["targets"].items():
        for name, size in target["sizes"].items():
            if size != before["targets"][isa]["sizes"][name]:
                pattern = rf'("{isa}": \{{\s*"processor".*?"{name}": )\d+'
                text = re.sub(pattern, rf"\g<1>{size}", text, count=1, flags=re.DOTALL)
    for strategy in ("wide", "listed", "narrow"):
        for isa, rows in after[strategy].items():
            for row, old in zip(rows, before[strategy][isa]):
                if row != old:
                    start = text.index(f'"{strategy}": {{')
                    start = text.index(f'"{isa}": [', start)
                    text = text[:start] + text[start:].replace(row_text(old), row_text(row), 1)
    return text


def row_text(row):
    pixels = ", ".join(map(str, row["pixels"]))
    last = "most_inputs" if "most_inputs" in row else "cost"
    return (f'{{"vectors": {row["vectors"]}, "pixels": [{pixels}], "unroll": {row["unroll"]}, '
            f'"{last}": {row[last]}}}')
