"""One layer: every peer prepared and checked, then timed in rounds, in random order."""

import pathlib
import statistics

import numpy as np

from problem import Problem


def check(worker, variant, problem, expected, file):
    """None if the worker's result is right, else a sentence that says how it is not."""
    answer = worker.ask({"command": "run", "variant": variant, "file": str(file)})
    if "refused" in answer:
        return answer["refused"]
    if list(answer["shape"]) != problem.output_shape:
        return f"result is {answer['shape']}; expected {problem.output_shape}"
    result = np.fromfile(file, np.float32).reshape(problem.output_shape)
    channels, want, bound = expected
    result = result[..., channels]
    wrong = ~(np.abs(result - want) <= bound)
    if not wrong.any():
        return None
    at = tuple(int(v) for v in np.argwhere(wrong)[0])
    return f"{int(wrong.sum())} of {wrong.size} differ, first at {at}: {result[at]} for {want[at]}"


def prepare(worker, message, problem, expected, folder):
    """What the worker said, with the variants whose result is right."""
    answer = worker.ask(message, seconds=900)
    refused = dict(answer.get("variants_refused", {}))
    variants = answer.pop("variants", {})
    for name in list(variants):
        wrong = check(worker, name, problem, expected, pathlib.Path(folder, "y.f32"))
        if wrong:
            refused[name] = "wrong result: " + wrong
            del variants[name]
    if not variants and "refused" not in answer:
        answer["refused"] = "; ".join(dict.fromkeys(refused.values()))
    return {**answer, "variants": variants, "variants_refused": refused}


def measure_layer(entry, ours, peers, options, random, folder):
    """Everything about one layer, as it stands in the JSON file.

    ours: {key: worker}, the first of which the bounds are for; peers: {key: worker}."""
    problem = Problem(entry["config"], entry["input"])
    problem.fill()
    problem.write(folder)
    expected = problem.expected(options.checked_channels)
    everybody = {**ours, **peers}
    message = {
        "command": "prepare",
        "config": entry["config"],
        "shape": problem.shape,
        "folder": str(folder),
        "geometry": problem.geometry(),
    }
    found = {k: prepare(w, message, problem, expected, folder) for k, w in everybody.items()}
    for key in ours:
        if not found[key]["variants"]:
            raise SystemExit(f"{entry['name']}: {key}: {found[key]['refused']}")

    limits = {key: {"gflops": 0.0, "bandwidth_gbs": 0.0} for key in ours}
    turns = [(key, variant) for key in everybody for variant in found[key]["variants"]]
    for _ in range(options.rounds):
        for key, worker in ours.items():
            now = worker.ask({"command": "limits"})
            limits[key] = {name: max(value, now[name]) for name, value in limits[key].items()}
        random.shuffle(turns)
        for key, variant in turns:
            request = {"command": "time", "variant": variant, "milliseconds": options.milliseconds}
            answer = everybody[key].ask(request)
            found[key]["variants"][variant].setdefault("rounds", []).append(answer)
    for key, variant in turns:
        summarise(found[key]["variants"][variant])
    for key in everybody:
        choose(found[key], options.statistic)

    extents = [[e + more for e in problem.extents] for more in range(1, options.new_shapes + 1)]
    request = {
        "command": "new_shapes",
        "extents": extents,
        "geometries": [
            Problem(entry["config"], [problem.batch, *e, problem.input_size]).geometry()
            for e in extents
        ],
    }
    for key in everybody:
        if extents and found[key]["variants"]:
            found[key]["new_shapes"] = everybody[key].ask(request)
    facts = ("operations", "operations_in_window", "bytes")
    own = [{name: found[key].pop(name) for name in facts} for key in ours]
    for key, value in limits.items():
        found[key]["peak_gflops"] = value["gflops"]
    return {
        "name": entry["name"],
        "source": entry.get("source", ""),
        "config": entry["config"],
        "input": problem.shape,
        "output": problem.output_shape,
        "bandwidth_gbs": max(value["bandwidth_gbs"] for value in limits.values()),
        **own[0],
        "peers": found,
    }


def summarise(variant):
    """Medians over rounds; the best of all."""
    rounds = [r for r in variant["rounds"] if "median_us" in r]
    if rounds:
        variant["median_us"] = statistics.median(r["median_us"] for r in rounds)
        variant["min_us"] = min(r["min_us"] for r in rounds)
    else:
        variant["refused"] = variant["rounds"][0].get("refused", "no time")


def choose(peer, statistic):
    """The faster variant counts; "us" is what the tables are made of."""
    times = {n: v[statistic + "_us"] for n, v in peer["variants"].items() if "median_us" in v}
    if times:
        peer["best_variant"] = min(times, key=times.get)
        peer["us"] = min(times.values())
