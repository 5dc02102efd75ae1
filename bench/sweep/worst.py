"""The Markdown report of a sweep: families, and the worst layers with what reproduces them."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
from report import best_peer, bound, digits, label, mean, ours, table, times  # noqa: E402

SHOWN = 20
ENOUGH = 0.8  # of the best peer's speed


def line_of(layer):
    """A line while the run goes on."""
    name, least = bound(layer, layer["machine"]["threads"])
    text = f"{layer['name']}: {digits(ours(layer))} us, {least / ours(layer):.0%} of {name}"
    best = best_peer(layer)
    return text + (f"; {best[0]} {digits(best[1])} us, ratio {ratio(layer):.2f}" if best else "")


def ratio(layer):
    return best_peer(layer)[1] / ours(layer)


def share(layer):
    return bound(layer, layer["machine"]["threads"])[1] / ours(layer)


def is_short(layer):
    """Its fixed costs are most of it: a share of the bound says nothing."""
    return bound(layer, layer["machine"]["threads"])[0] == "overhead"


def describe(layer):
    config = layer["config"]

    def axes(name):
        values = config[name]
        return "x".join(map(str, values if len(set(values)) > 1 else values[:1]))

    text = f"{'x'.join(map(str, layer['input']))} -> {config['output_size']}"
    text += f" k{axes('filter_shape')} s{axes('strides')}"
    if max(config["dilations"]) > 1:
        text += f" d{axes('dilations')}"
    pads = config["padding"]
    return text + " " + (pads if isinstance(pads, str) else "p" + "x".join(str(p[0]) for p in pads))


def family_table(layers):
    rows = []
    for family in dict.fromkeys(v["family"] for v in layers):
        these = [v for v in layers if v["family"] == family]
        long = [v for v in these if not is_short(v)]
        shares = [share(v) for v in long]
        ratios = [ratio(v) for v in these if best_peer(v)]
        rows.append([family.replace("_", " "), str(len(these)), str(len(these) - len(long)),
                     f"{mean(shares):.0%}", f"{min(shares, default=0):.0%}",
                     *([f"{mean(ratios):.2f}", f"{min(ratios):.2f}",
                        str(sum(r < ENOUGH for r in ratios))] if ratios else ["-"] * 3)])
    return table(["family", "layers", "short", "of bound", "worst", "best peer / ours", "worst",
                  f"under {ENOUGH}"], rows)


def layer_table(result_of, layers):
    rows = []
    for layer in layers:
        name, least = bound(layer, layer["machine"]["threads"])
        best = best_peer(layer)
        row = [str(layer["index"]), f"`{describe(layer)}`", layer["peers"]["upconv"]["kernel"]]
        row += [digits(ours(layer)), name, f"{least / ours(layer):.0%}"]
        row += [f"{label(result_of, best[0])} {digits(best[1])}", f"{ratio(layer):.2f}"] if best else []
        rows.append(row + ["-"] * (8 - len(row)))
    return table(["index", "input -> channels, filter, stride", "kernel", "us", "bound", "of bound",
                  "best peer, us", "peer / ours"], rows)


def settle(layers):
    """The peak of the whole run for every layer: a clock that was low for a while is no bound."""
    for key in layers[0]["ours"]:
        peak = max(v["peers"][key]["peak_gflops"] for v in layers)
        for layer in layers:
            layer["peers"][key]["peak_gflops"] = peak


def markdown(layers, command):
    layers = sorted(layers, key=lambda v: v["index"])
    settle(layers)
    last = layers[-1]
    of = last["machine"]
    commits = ", ".join(dict.fromkeys(v["machine"]["commit"] for v in layers))
    names = ", ".join(f"{v['peer']} {v['version']}" for v in last["versions"].values())
    long = [v for v in layers if not is_short(v)]
    short = sorted((v for v in layers if is_short(v)),
                   key=lambda v: -(ours(v) - bound(v)[1]))
    compared = [v for v in layers if best_peer(v)]
    slow = [v for v in compared if ratio(v) < ENOUGH]
    parts = [
        f"# {len(layers)} generated layers",
        f"{of['processor']} ({of['family']}, {', '.join(of['instruction_sets'])}), "
        f"{of['threads']} of {of['cores']} cores, caches {of['caches']}; {of['date']}; "
        f"commit {commits}. {names}; ours on {last['versions']['upconv']['isa']}. Float32, channels "
        "last.",
        f"    {command}",
        "Geometric means. A layer is *short* when it takes under 10 us (50 us on several threads) and "
        "its bound is less than half of that; it is left out of the shares of the bound. One layer "
        "again: `./dev bench --sweep --only INDEX`, with the same seed.",
        family_table(layers),
        f"## Furthest from the bound, of {len(long)}",
        layer_table(last, sorted(long, key=share)[:SHOWN]),
    ]
    if short:
        parts += [f"## Longest fixed costs, of {len(short)} short layers",
                  layer_table(last, short[: SHOWN // 2])]
    if compared:
        parts += [
            f"## Slowest beside the best peer, of {len(compared)}",
            f"Under {ENOUGH}: {len(slow)}. Geometric mean {mean(map(ratio, compared)):.2f}.",
            layer_table(last, sorted(compared, key=ratio)[:SHOWN]),
            peer_table(last, compared),
        ]
    return "\n\n".join(parts) + "\n"


def peer_table(result_of, layers):
    rows = []
    for key in result_of["versions"]:
        ran = [v for v in layers if key in times(v)]
        if ran:
            ratios = [times(v)[key] / ours(v) for v in ran]
            rows.append([label(result_of, key), str(len(ran)), f"{mean(ratios):.2f}",
                         str(sum(r < ENOUGH for r in ratios))])
    return table(["peer's time / ours, geometric mean", "layers", "ratio", f"under {ENOUGH}"], rows)
