"""The Markdown table of a run, from what driver.py wrote.

report.py peers.json > peers.md
"""

import json
import math
import sys

SHORT_CALL_US = {1: 10}  # as `upconv bench`: on several threads 50
BOTH = 0.8  # two bounds within 20% of each other are "both"


def is_ours(key):
    """Ours are "upconv" and, on another instruction set, "upconv_avx2" and so on."""
    return key.split("_")[0] == "upconv"


def ours(layer, key="upconv"):
    return layer["peers"][key]["us"]


def times(layer):
    """{key: us} of the peers that ran."""
    return {k: v["us"] for k, v in layer["peers"].items() if not is_ours(k) and "us" in v}


def best_peer(layer):
    """(key, us), or nothing."""
    found = times(layer)
    return min(found.items(), key=lambda item: item[1]) if found else None


def bound(layer, threads=1, key="upconv"):
    """(label, least us that the machine allows): the rule of `upconv bench`, on medians."""
    compute = layer["operations_in_window"] / layer["peers"][key]["peak_gflops"] / 1e3
    memory = layer["bytes"] / layer["bandwidth_gbs"] / 1e3
    least = max(compute, memory)
    if ours(layer, key) < SHORT_CALL_US.get(threads, 50) and least < ours(layer, key) / 2:
        return "overhead", least
    if min(compute, memory) > BOTH * least:
        return "both", least
    return ("compute" if compute >= memory else "memory"), least


def of_peak(layer, us):
    return layer["operations_in_window"] / us / 1e3 / layer["peers"]["upconv"]["peak_gflops"]


def digits(us):
    return f"{us:.2f}" if us < 10 else f"{us:.1f}" if us < 1000 else f"{us:.0f}"


def mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def line_of(layer):
    """A line while the run goes on."""
    best = best_peer(layer)
    text = f"{layer['name']:<20}{digits(ours(layer)):>9} us"
    if best:
        text += f"   best peer {best[0]} {digits(best[1])} us, ratio {best[1] / ours(layer):.2f}"
    return text


def real_layers(result):
    return [v for v in result["layers"] if v["name"] != "smallest"]


def call_costs(result):
    """{key: us} of the layer of one product."""
    small = [v for v in result["layers"] if v["name"] == "smallest"]
    return {**times(small[0]), "upconv": ours(small[0])} if small else {}


def label(result, key):
    info = result["versions"][key]
    several = len(result["ours"]) > 1 and is_ours(key)
    return f"{info['peer']} {info['isa']}" if several else info["peer"]


def time_table(result, keys):
    threads = result["machine"]["threads"]
    head = ["layer", *(label(result, k) for k in [*result["ours"], *keys]), "best peer / upconv"]
    head += ["of peak", "bound", "of bound"]
    rows = []
    for layer in result["layers"]:
        found, best = times(layer), best_peer(layer)
        row = [f"`{layer['name']}`", *(digits(ours(layer, k)) for k in result["ours"])]
        for key in keys:
            text = digits(found[key]) if key in found else "-"
            row.append(f"**{text}**" if best and key == best[0] else text)
        name, least = bound(layer, threads)
        row.append(f"{best[1] / ours(layer):.2f}" if best else "-")
        row += [f"{of_peak(layer, ours(layer)):.0%}", name, f"{least / ours(layer):.0%}"]
        rows.append(row)
    return table(head, rows)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("| --- |" + " ---: |" * (len(head) - 1))
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def ratio_lines(result, keys):
    layers, costs = real_layers(result), call_costs(result)
    with_peer = [v for v in layers if best_peer(v)]
    ratios = [best_peer(v)[1] / ours(v) for v in with_peer]
    rows = [["the best peer of each layer", str(len(ratios)), f"{mean(ratios):.2f}",
             str(sum(r < 1 for r in ratios))]]
    if costs:
        less = []
        for layer in with_peer:
            peers = times(layer).items()
            less.append(min(max(us - costs.get(k, 0), us / 10) for k, us in peers) / ours(layer))
        rows.append(["the same, each peer's fixed cost of a call taken off", str(len(less)),
                     f"{mean(less):.2f}", str(sum(r < 1 for r in less))])
    for key in keys:
        ratios = [times(v)[key] / ours(v) for v in layers if key in times(v)]
        rows.append([label(result, key), str(len(ratios)), f"{mean(ratios):.2f}",
                     str(sum(r < 1 for r in ratios))])
    return table(["peer's time / ours, geometric mean", "layers", "ratio", "we lose"], rows)


def isa_table(result):
    """Each of our instruction sets by itself, where there are several."""
    if len(result["ours"]) == 1:
        return ""
    rows = []
    for key in result["ours"]:
        layers = [v for v in real_layers(result) if best_peer(v)]
        ratios = [best_peer(v)[1] / ours(v, key) for v in layers]
        shares = [bound(v, key=key)[1] / ours(v, key) for v in real_layers(result)]
        gains = [ours(v, key) / ours(v) for v in real_layers(result)]
        rows.append([label(result, key), f"{result['peaks'][key]:.1f}", f"{mean(gains):.2f}",
                     str(sum(g < 1 for g in gains)), f"{mean(shares):.0%}",
                     f"{mean(ratios):.2f}" if ratios else "-", str(sum(r < 1 for r in ratios))])
    first = label(result, "upconv")
    return table(["by instruction set, geometric means", "peak, GFLOP/s", f"its time / {first}'s",
                  f"faster than {first}", "of bound", "best peer / it", "it loses"], rows)


def first_call_table(result, keys):
    """What a new input shape costs: its first call less a warm one, the median over layers."""
    rows = []
    for key in ["upconv", *keys]:
        extra, firsts = [], []
        for layer in real_layers(result):
            for shape in layer["peers"][key].get("new_shapes", {}).get("shapes", []):
                extra.append(shape["first_us"] - shape["warm_us"])
                firsts.append(shape["first_us"] / shape["warm_us"])
        if extra:
            extra.sort()
            firsts.sort()
            rows.append([label(result, key), digits(extra[len(extra) // 2]), digits(extra[-1]),
                         f"{firsts[len(firsts) // 2]:.1f}"])
    return table(["first call of a new shape", "us more than a warm call, median", "most",
                  "first / warm, median"], rows)


def refusals(result, keys):
    lines = []
    for key in keys:
        reasons = {}
        for layer in result["layers"]:
            peer = layer["peers"][key]
            if "us" not in peer:
                reasons.setdefault(peer.get("refused", "no time"), []).append(layer["name"])
            for variant, why in peer.get("variants_refused", {}).items():
                if "us" in peer and why.startswith("wrong"):
                    lines.append(f"- {label(result, key)}, {variant}, {layer['name']}: {why}")
        for why, names in reasons.items():
            lines.append(f"- {label(result, key)} refuses {', '.join(names)}: {why}")
    for key, why in result["missing"].items():
        lines.append(f"- {key} did not take part: {why}")
    return "\n".join(lines)


def settle(result):
    """The peak of the whole run for every layer: a clock that was low for a while is no bound."""
    for layer in result["layers"]:
        for key in result["ours"]:
            layer["peers"][key]["peak_gflops"] = result["peaks"][key]


def markdown(result):
    settle(result)
    of = result["machine"]
    keys = [k for k in result["versions"] if not is_ours(k)]
    versions = ", ".join(f"{result['versions'][k]['peer']} {result['versions'][k]['version']}"
                         for k in ["upconv", *keys])
    how = {"median": "the median of", "min": "the best sample of"}[result["statistic"]]
    noise = f"; load {of['load_at_start']:.1f} when it started"
    parts = [
        "# upconv beside its peers",
        f"{of['processor']} ({of['family']}, {', '.join(of['instruction_sets'])}), "
        f"{of['threads']} of {of['cores']} cores, caches {of['caches']}{noise}; {of['date']}; "
        f"commit {of['commit']}.",
        f"{versions}. Float32. Peak {result['peaks']['upconv']:.1f} GFLOP/s "
        f"({result['versions']['upconv']['isa']}).",
        f"Microseconds a call: {how} {result['rounds']} interleaved rounds of "
        f"{result['milliseconds']:.0f} ms each. **Bold**: the best peer.",
        f"    {result['command']}",
        time_table(result, keys),
        ratio_lines(result, keys),
        isa_table(result),
        first_call_table(result, keys),
        refusals(result, keys),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(markdown(json.load(file)), end="")
