"""Compares what upconv_demo wrote with the same enlargements by Pillow.

    python3 examples/enlarge.py [folder] [--picture FILE]          (folder: build/demo)

Both work in floating point, so that they agree far below the rounding to a byte. Pillow leaves out
weights beyond the border where the demo repeats the border's pixels, so a margin of the filter's
support is not compared. Exit status 1 if a difference is over the tolerance.

--picture writes side_by_side.png with captions and 256 colours: docs/enlarged.png was made so."""

import argparse
import pathlib
import sys
import time

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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


def write_picture(folder, path):
    """The side-by-side picture with a line of captions above and a column of them on the left."""
    captions = ["pixels repeated", "bilinear", "bicubic", "lanczos", "original"]
    scales = ["2x", "3x", "4x"]
    top, left = 28, 36
    parts = Image.open(folder / "side_by_side.png").convert("RGB")
    picture = Image.new("RGB", (parts.width + left, parts.height + top), "white")
    picture.paste(parts, (left, top))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=18)
    for i, caption in enumerate(captions):
        x = left + (2 * i + 1) * parts.width // (2 * len(captions))
        draw.text((x, top // 2), caption, "black", font, anchor="mm")
    for i, scale in enumerate(scales):
        y = top + (2 * i + 1) * parts.height // (2 * len(scales))
        draw.text((left // 2, y), scale, "black", font, anchor="mm")
    picture.quantize(256, kmeans=3).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default="build/demo")
    parser.add_argument("--picture", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    folder = arguments.folder
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
    if arguments.picture:
        write_picture(folder, arguments.picture)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
