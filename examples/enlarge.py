"""Compares what upconv_demo wrote with the same enlargements by Pillow.

    python3 examples/enlarge.py [folder]          (folder: build/demo)

Both work in floating point, so that they agree far below the rounding to a byte. Pillow leaves out
weights beyond the border where the demo repeats the border's pixels, so a margin of the filter's
support is not compared. Exit status 1 if a difference is over the tolerance."""

import pathlib
import sys
import time

import numpy as np
from PIL import Image

FILTERS = {  # the filter, and how many small pixels it reaches on either side
    "bilinear": (Image.Resampling.BILINEAR, 1),
    "bicubic": (Image.Resampling.BICUBIC, 2),
    "lanczos": (Image.Resampling.LANCZOS, 3),
}
TOLERANCE = 1e-3  # of 255; sums of a few dozen float32 products are a hundred times better


def resize(small, size, resampling):
    """Pillow's enlargement in floating point, channel by channel."""
    channels = [Image.fromarray(small[:, :, c].astype(np.float32)) for c in range(small.shape[2])]
    return np.stack([np.asarray(c.resize(size, resampling)) for c in channels], axis=2)


def best_time(call, seconds=0.1):
    best, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")
    failed = False
    print(f"{'scale':6}{'filter':10}{'Pillow ms':>10}{'largest difference':>20}  (of 255)")
    for scale in (2, 3, 4):
        picture = Image.open(folder / f"small_{scale}x.png")
        small = np.asarray(picture)
        size = (small.shape[1] * scale, small.shape[0] * scale)
        for name, (resampling, support) in FILTERS.items():
            ours = np.load(folder / f"{name}_{scale}x.npy")
            theirs = resize(small, size, resampling)
            inner = (slice(support * scale, -support * scale),) * 2
            difference = float(np.abs(ours - theirs)[inner].max())
            # Pillow's own way with a picture: bytes in, bytes out.
            milliseconds = best_time(lambda: picture.resize(size, resampling)) * 1e3
            wrong = not difference <= TOLERANCE
            failed |= wrong
            print(f"{scale}x    {name:10}{milliseconds:10.3f}{difference:20.2g}"
                  + ("  TOO LARGE" if wrong else ""))
    print("FAILED: a difference is over" if failed else "all differences are within", TOLERANCE)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
