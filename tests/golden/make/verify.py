# SPDX-License-Identifier: Apache-2.0
"""Checks the stored values without any peer."""

import json
import math

import reference
from make import tfp_files
from make.maker import FOLDER


def families(config, extents, batch):
    """What is special about a case, for counting."""
    filters, strides, dilations, op = reference.geometry(config)
    found = set()
    for a, (k, s, d, i) in enumerate(zip(filters, strides, dilations, extents)):
        k1 = (k - 1) * d + 1
        length, offset = reference.window(config, a, i)
        tail = reference.full_length(i, k, s, d) - offset - length
        if k1 > s and (k1 - s) % 2:
            found.add("odd_excess")
        if k1 < s:
            found.add("stride_above_filter")
        if d > 1:
            found.add("dilation_with_stride" if s > 1 else "dilation")
        if op and op[a] > 0:
            found.add("output_padding")
        if op and op[a] >= s:
            found.add("output_padding_from_stride")
        if offset > k1 - 1 or tail > k1 - 1:
            found.add("crop_above_filter")
        if offset < 0:
            found.add("negative_begin")
        if tail < 0:
            found.add("tail_of_bias")
        if isinstance(config["padding"], list) and offset != tail:
            found.add("asymmetric")
        if i == 1:
            found.add("one_wide")
    if all(i == 1 for i in extents):
        found.add("one_element")
    if math.prod(batch) > 1 or len(batch) != 1:
        found.add("batch")
    if math.prod(batch) == 0:
        found.add("empty_batch")
    if config.get("activation"):
        found.add("activation")
    if config.get("dtype") == "float64":
        found.add("float64")
    if config.get("use_bias") is False:
        found.add("no_bias")
    return sorted(found)


def verify():
    """Checks every stored case against the reference; returns the number of differences."""
    bad, total, names, tags = 0, 0, set(), {}
    for peer in reference.PEERS:
        ranks = {}
        for e, x, kernel, bias, y in reference.load_cases(FOLDER, peer):
            c = e["config"]
            wrong = reference.difference(c, x, kernel, bias, y, e["exact"])
            if (bias is None) != (c.get("use_bias") is False):
                wrong = wrong or "use_bias does not fit the arrays"
            _, s, d, op = reference.geometry(c)
            if isinstance(c["padding"], list):
                s = list(map(max, s, d))
            if any(not 0 <= o < limit for o, limit in zip(op or [], s)):
                wrong = wrong or "output_padding is not below its limit"
            if e["name"] in names:
                wrong = wrong or "the name is not unique"
            names.add(e["name"])
            total += 1
            ranks[c["rank"]] = ranks.get(c["rank"], 0) + 1
            batch, extents = x.shape[: -1 - c["rank"]], x.shape[-1 - c["rank"] : -1]
            for t in families(c, extents, batch):
                tags[t] = tags.get(t, 0) + 1
            if wrong:
                bad += 1
                print(f"{e['name']}: {wrong}")
        print(f"{peer}: {sum(ranks.values())} cases, by rank {dict(sorted(ranks.items()))}")
    with open(FOLDER / "tfp_weights.json", encoding="utf-8") as f:
        tfp_files.check(json.load(f))
    print("families:", ", ".join(f"{n} {v}" for n, v in sorted(tags.items(), key=lambda t: -t[1])))
    print(f"{total - bad} of {total} agree with the reference")
    return bad
