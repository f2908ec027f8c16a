#!/usr/bin/env python3
"""Makes the pictures beside it, and pixels.json: what Pillow's convert("RGB") gives for each, as hex. Needs Pillow and numpy."""
import json
import os

import numpy
import PIL
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
rng = numpy.random.default_rng(20261129)


def rgba(height, width):
    return Image.fromarray(rng.integers(0, 256, (height, width, 4), dtype=numpy.uint8), "RGBA")


def pictures():
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
        yield f"{mode.lower()}.png", rgba(7, 11).convert(mode), {}
    yield "palette-transparent.png", rgba(5, 9).convert("P"), {"transparency": 3}
    yield "interlaced.png", rgba(13, 10).convert("RGB"), {"interlace": 1}
    yield "one-pixel.png", rgba(1, 1).convert("RGB"), {}
    yield "full.jpg", rgba(17, 9).convert("RGB"), {"quality": 95, "subsampling": 0}
    yield "subsampled.jpg", rgba(17, 23).convert("RGB"), {"quality": 75, "subsampling": 2}
    yield "progressive.jpg", rgba(16, 20).convert("RGB"), {"progressive": True}
    yield "grey.jpg", rgba(12, 8).convert("L"), {}


pixels = {"pillow": PIL.__version__}
for name, picture, options in pictures():
    path = os.path.join(HERE, name)
    picture.save(path, **options)
    read = numpy.asarray(Image.open(path).convert("RGB"))
    pixels[name] = {"size": list(read.shape[:2]), "rgb": read.tobytes().hex()}
rgba(6, 5).convert("CMYK").save(os.path.join(HERE, "cmyk.jpg"))
with open(os.path.join(HERE, "pixels.json"), "w", encoding="utf-8") as f:
    json.dump(pixels, f, indent=0)
    f.write("\n")
