# SPDX-License-Identifier: Apache-2.0
"""Files written by NumPy in many ways."""

import json

import numpy as np
from numpy.lib import format as npy

from make.maker import FOLDER


def make():
    out, listed = lambda n: FOLDER / ("numpy_" + n), []
    number = lambda w: float(w) if np.isfinite(w) else str(w)  # JSON has no infinity

    def note(name, arrays, expect, reason=None, **more):
        rows = []
        for n, v in arrays.items():
            v = np.asarray(v)
            numeric = v.dtype.kind in "fiub"
            rows.append(
                {
                    "name": n,
                    "shape": list(v.shape),
                    "descr": v.dtype.str,
                    "fortran_order": bool(v.flags.f_contiguous and not v.flags.c_contiguous),
                    "first": [number(w) for w in v.reshape(-1)[:4]] if numeric else [],
                    "sum": number(v.astype(float).sum())
                    if numeric and np.isfinite(v).all()
                    else None,
                }
            )
        listed.append(
            {"file": "numpy_" + name, "expect": expect, "reason": reason, **more, "arrays": rows}
        )

    base = (np.arange(24.0) - 7.5).reshape(2, 3, 4)
    kernel, bias = np.arange(36.0).reshape(3, 2, 2, 3) / 4, np.array([1.0, -2.0, 0.5])

    def one(name, v, version=None, expect="accept", reason=None, **more):
        with open(out(name), "wb") as f:
            npy.write_array(f, v, version=version)
        note(name, {"": v}, expect, reason, version=list(version or (1, 0)), **more)

    f4 = base.astype("<f4")
    one("f4_c.npy", f4)
    one("f4_fortran.npy", np.asfortranarray(f4))
    one("f8_c.npy", base)
    one("f8_fortran.npy", np.asfortranarray(base))
    one("f4_v2.npy", f4, (2, 0))
    one("f4_v3.npy", f4, (3, 0))
    one("f8_fortran_v3.npy", np.asfortranarray(base), (3, 0))
    one("f4_rank0.npy", np.array(2.5, "<f4"))
    one("f4_rank1.npy", np.arange(5, dtype="<f4"))
    one("f4_extent0.npy", np.zeros((2, 0, 3), "<f4"))
    one("f4_extent0_fortran.npy", np.asfortranarray(np.zeros((0, 3, 2), "<f4")))
    one("f4_rank7.npy", np.arange(8, dtype="<f4").reshape(1, 2, 1, 2, 1, 2, 1))
    one("f8_special.npy", np.array([np.inf, -np.inf, -0.0, 5e-324]))
    for t in ("i4", "i8", "u1", "f2", "c8"):
        v = base.astype(int) + 20 if t == "u1" else base
        one(
            f"{t}.npy",
            v.astype(np.dtype(t)),
            expect="refuse",
            reason="dtype",
            kind=np.dtype(t).name,
        )
    one("bool.npy", base > 0, expect="refuse", reason="dtype", kind="bool")
    one("f4_big_endian.npy", base.astype(">f4"), expect="swap_or_refuse", reason="byte order")
    one("f8_big_endian.npy", base.astype(">f8"), expect="swap_or_refuse", reason="byte order")
    one("string.npy", np.array(["a", "bc"]), expect="refuse", reason="dtype", kind="str")
    one(
        "structured.npy",
        np.zeros(2, [("a", "<f4"), ("b", "<i4")]),
        expect="refuse",
        reason="dtype",
        kind="structured",
    )
    np.save(out("pickled.npy"), np.array([None, 1], dtype=object), allow_pickle=True)
    listed.append(
        {
            "file": "numpy_pickled.npy",
            "expect": "refuse",
            "reason": "pickle",
            "version": [1, 0],
            "arrays": [],
        }
    )
    # A header as NumPy before 1.14 wrote it: padded to 16 bytes, keys in another order
    head = b"{'shape': (2, 3, 4), 'descr': '<f4', 'fortran_order': False}"
    head += b" " * (-(len(head) + 11) % 16) + b"\n"
    with open(out("f4_pad16.npy"), "wb") as f:
        f.write(npy.magic(1, 0) + len(head).to_bytes(2, "little") + head + f4.tobytes())
    note("f4_pad16.npy", {"": f4}, "accept", version=[1, 0])
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L, 4L), }"  # Python 2
    head += b" " * (-(len(head) + 11) % 16) + b"\n"
    with open(out("f4_python2.npy"), "wb") as f:
        f.write(npy.magic(1, 0) + len(head).to_bytes(2, "little") + head + f4.tobytes())
    note(
        "f4_python2.npy", {"": f4}, "accept_or_refuse", "long integers of Python 2", version=[1, 0]
    )

    k4, b4 = kernel.astype("<f4"), bias.astype("<f4")

    def zipped(name, save, arrays, expect="accept", reason=None, **named):
        save(out(name), *arrays, **named)
        words = {f"arr_{q}": v for q, v in enumerate(arrays)}
        note(name, {**words, **named}, expect, reason)

    zipped("stored.npz", np.savez, [b4, k4])
    zipped("deflated.npz", np.savez_compressed, [b4, k4])
    zipped("kernel_first.npz", np.savez_compressed, [k4, b4])
    zipped("named.npz", np.savez_compressed, [], kernel=k4, bias=b4)
    zipped("slash.npz", np.savez, [], **{"layer/kernel": k4, "layer/bias": b4})
    zipped("flat_kernel.npz", np.savez_compressed, [b4, k4.reshape(12, 3)])
    zipped("flat_kernel_fortran.npz", np.savez, [b4, np.asfortranarray(k4.reshape(12, 3))])
    zipped("fortran.npz", np.savez_compressed, [b4, np.asfortranarray(k4)])
    zipped("f8.npz", np.savez_compressed, [bias, kernel])
    zipped("f8_fortran.npz", np.savez, [np.asfortranarray(kernel), bias])
    zipped("mixed_dtypes.npz", np.savez, [b4, kernel], "accept_or_refuse", "the dtypes differ")
    zipped(
        "no_bias.npz", np.savez_compressed, [k4], "accept_without_bias", "use_bias must be false"
    )
    zipped("f2.npz", np.savez_compressed, [b4.astype("f2"), k4.astype("f2")], "refuse", "dtype")
    zipped("i4_kernel.npz", np.savez, [b4, (4 * k4).astype("i4")], "refuse", "dtype")
    zipped("three_arrays.npz", np.savez, [b4, k4, b4], "refuse", "two arrays of rank 1")
    zipped("empty.npz", np.savez, [], "refuse", "no arrays")
    with open(FOLDER / "numpy_files.json", "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(e) for e in listed) + "\n]\n")
    print(f"numpy: {len(listed)} files")
