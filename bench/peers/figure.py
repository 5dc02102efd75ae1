"""The pictures of a run: a roofline, and every layer's speed beside its best peer's."""

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

import report  # noqa: E402

OURS, PEER = "#1f5fa8", "#d9822b"
# Text stays text; the same run gives the same bytes.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "upconv", "font.size": 9}


def draw(result, folder):
    layers = report.real_layers(result)
    if not layers:
        return
    with pyplot.rc_context(STYLE):
        save(roofline(result, layers), folder / "roofline.svg")
        save(bars(result, layers), folder / "layers.svg")


def save(figure, path):
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


def gflops(layer, us):
    return layer["operations_in_window"] / us / 1e3


def roofline(result, layers):
    figure, axes = pyplot.subplots(figsize=(7.5, 4.5))
    peak = result["peaks"]["upconv"]
    rates = sorted(v["bandwidth_gbs"] for v in layers)
    intensity = [v["operations_in_window"] / v["bytes"] for v in layers]
    least, most = min(intensity) / 1.5, max(intensity) * 1.5
    axes.axhline(peak, color="black", linewidth=1)
    axes.text(most, peak * 1.04, f"multiply-adds: {peak:.0f} GFLOP/s", ha="right")
    for rate, style in ((rates[0], ":"), (rates[-1], "--")):
        x = [least, min(peak / rate, most)]
        axes.plot(x, [v * rate for v in x], style, color="gray", label=f"{rate:.0f} GB/s")
    best = [(i, v) for i, v in zip(intensity, layers) if report.best_peer(v)]
    axes.scatter(
        [i for i, _ in best],
        [gflops(v, report.best_peer(v)[1]) for _, v in best],
        s=18, color=PEER, marker="x", label="best peer",
    )
    axes.scatter(
        intensity, [gflops(v, report.ours(v)) for v in layers], s=20, color=OURS, label="upconv"
    )
    axes.set(xscale="log", yscale="log", xlim=(least, most * 1.05))
    axes.set(xlabel="operations per byte of input, weights and output", ylabel="GFLOP/s")
    axes.legend(loc="lower right")
    return figure


def bars(result, layers):
    figure, axes = pyplot.subplots(figsize=(7.5, 0.27 * len(layers) + 1))
    for place, layer in enumerate(layers):
        best = report.best_peer(layer)
        axes.barh(place - 0.2, report.of_peak(layer, report.ours(layer)), 0.38, color=OURS)
        if best:
            share = report.of_peak(layer, best[1])
            axes.barh(place + 0.2, share, 0.38, color=PEER)
            text = report.label(result, best[0])
            axes.text(share + 0.01, place + 0.2, text, va="center", fontsize=6.5)
        least = report.bound(layer)[1]
        axes.plot([min(report.of_peak(layer, least), 1)] * 2, [place - 0.42, place + 0.42], "k-")
    axes.set_yticks(range(len(layers)), [v["name"] for v in layers])
    axes.set_ylim(len(layers) - 0.4, -0.6)  # the first layer at the top
    axes.set(xlim=(0, 1.12), xlabel="share of the multiply-add peak; the black line is the bound")
    axes.legend(
        [pyplot.Rectangle((0, 0), 1, 1, color=c) for c in (OURS, PEER)], ["upconv", "best peer"],
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2,
    )
    return figure
