"""Compares pixels of PNG and JPEG files with those from Pillow (made by tests/golden/pictures/make.py)."""
import json
import os
import pathlib
import struct
import subprocess
import zlib

import pytest

HERE = pathlib.Path(__file__).parent / "pictures"
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", pathlib.Path(__file__).parents[2]))
PIXELS = json.loads((HERE / "pixels.json").read_text())
PICTURES = sorted(name for name in PIXELS if name != "pillow")


def read(path):
    return subprocess.run([BUILD / "tests/tools/pixels", path], capture_output=True, timeout=60)


def refused(path, words):
    run = read(path)
    assert run.returncode == 2 and not run.stdout
    message = run.stderr.decode()
    assert words in message and str(path) in message


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name):
    run = read(HERE / name)
    assert run.returncode == 0, run.stderr
    size, rgb = run.stdout.split(b"\n", 1)
    assert [int(n) for n in size.split()] == PIXELS[name]["size"]
    assert rgb.hex() == PIXELS[name]["rgb"]


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "one-pixel.png"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_truncated(tmp_path, name, share):
    data = (HERE / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[:int(len(data) * share)])
    refused(path, "damaged")


def test_cmyk_is_refused():
    refused(HERE / "cmyk.jpg", "CMYK")


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"GIF89a", b"<html>", b"RIFF\0\0\0\0WEBP"])
def test_other_formats_are_refused(tmp_path, data):
    path = tmp_path / "page.png"
    path.write_bytes(data)
    refused(path, "is not a PNG or JPEG file")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_too_many_pixels_are_refused(tmp_path):
    """A small file that unpacks to 2.5 billion pixels."""
    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 50000, 50000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    refused(path, "50000 x 50000 pixels")


def test_a_folder_is_refused(tmp_path):
    assert read(tmp_path).returncode == 2
