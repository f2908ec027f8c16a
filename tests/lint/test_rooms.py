"""What each room of the tree may include.

A room is a folder. ARROWS lists the rooms that a room may include from, besides itself. A file that
includes from elsewhere fails the test: move the code to the room that owns it, or, where the design
really changed, add the arrow here and say why in the commit.

OWNERS lists third-party headers and the rooms that may include them, so that a library can be
replaced by changing one room.
"""
import os
import re
import subprocess

import pytest

SOURCE = os.environ.get("COLCONV_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

ARROWS = {
    "base": [],
    "spec": ["base", "proto"],
    "checkpoint": ["base"],
    "net": ["base"],
    "hub": ["base", "checkpoint", "net", "spec"],
    "tokenizer": ["base"],
    "picture": ["base"],
    "document": ["base", "picture", "tokenizer"],
    "graph": ["base"],
    "torch": ["base", "graph"],
    "trace": ["base", "checkpoint", "graph", "torch"],
    "model": ["base", "checkpoint", "document", "graph", "spec", "trace"],
    "onnx": ["base", "checkpoint", "document", "graph", "picture", "proto", "spec"],
    "parity": ["base", "checkpoint", "spec"],
    "embed": ["base", "document", "parity", "picture", "spec", "tokenizer"],
    "worker": ["base", "checkpoint", "document", "graph", "hub", "model", "onnx", "picture", "proto", "spec", "torch", "trace"],
    "artifact": ["base", "spec"],
    "queue": ["base", "spec", "artifact"],
    "runner": ["base", "proto", "spec"],
    "http/core": ["base"],
    "http/live": ["base", "http/core", "queue"],
    "http/page": ["base", "http/core"],
    "http/api": ["artifact", "base", "checkpoint", "http/core", "http/live", "http/page", "queue", "runner", "spec"],
    "service": ["artifact", "base", "http/api", "http/core", "http/live", "proto", "queue", "runner", "spec"],
    "client/net": ["base", "net"],
    "client/show": ["base"],
    "client/cmd": ["base", "client/net", "client/show", "hub", "net", "onnx", "proto", "spec"],
    "proto": [],
}

OWNERS = {
    "microhttpd.h": ["http/core"],
    "sqlite3.h": ["queue"],
    "curl/curl.h": ["net"],
    "openssl/crypto.h": ["base"],
    "openssl/evp.h": ["base", "net"],
    "openssl/pem.h": ["base"],
    "protobuf-c/protobuf-c.h": ["base"],
    "jpeglib.h": ["picture"],
    "oniguruma.h": ["tokenizer"],
    "png.h": ["picture"],
    "utf8proc.h": ["tokenizer"],
    "systemd/sd-daemon.h": ["service"],
    "ATen/ATen.h": ["torch"],
    "torch/version.h": ["torch"],
    "cmocka.h": [],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def tracked(*patterns):
    """The tracked files that match; every file on disk if this is not a git checkout."""
    git = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z", "--", *patterns], capture_output=True)
    if git.returncode == 0:
        return [os.fsdecode(name) for name in git.stdout.split(b"\0") if name]
    found = []
    for folder, _, names in os.walk(SOURCE):
        found += [os.path.relpath(os.path.join(folder, name), SOURCE) for name in names]
    endings = tuple(pattern.lstrip("*") for pattern in patterns)
    return [name for name in found if name.endswith(endings)]


def room_of(path):
    """daemon/http/core/conn.c -> http/core; None for a file that is in no room."""
    parts = path.split("/")
    if parts[0] == "daemon":
        parts = parts[1:]
    for depth in (2, 1):
        room = "/".join(parts[:depth])
        if len(parts) > depth and room in ARROWS:
            return room
    return None


def sources():
    names = [name for name in tracked("*.c", "*.h", "*.cc", "*.def") if name.startswith(("daemon/", "client/"))]
    return sorted(name for name in names if not name.endswith(".pb-c.c") and not name.endswith(".pb-c.h"))


def includes(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
        return INCLUDE.findall(f.read())


def target_of(path, name):
    """The path of an included file in the tree; None for a header of the system or a library."""
    if name == "config.h":  # made by configure, for all rooms
        return None
    for folder in (os.path.dirname(path), "daemon", "."):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.exists(os.path.join(SOURCE, candidate)):
            return candidate
    return "proto/" + os.path.basename(name) if name.endswith(".pb-c.h") else None  # made by the build


def wrong_includes(path, found):
    """The includes in `found` (found by INCLUDE) that the file at `path` must not have."""
    room, wrong = room_of(path), []
    for mark, name in found:
        target = target_of(path, name) if mark == '"' else None
        if target:
            other = room_of(target)
            if other != room and other not in ARROWS[room]:
                wrong.append(f"{path}: room {room} must not include {name} of room {other}")
        elif name in OWNERS and room not in OWNERS[name]:
            wrong.append(f"{path}: {name} is for {', '.join(OWNERS[name]) or 'tests'} only")
    return wrong


def test_every_file_has_a_room():
    homeless = [path for path in sources() if room_of(path) is None]
    assert not homeless, "no room of ARROWS holds these files"


def test_includes_follow_the_arrows():
    wrong = [line for path in sources() for line in wrong_includes(path, includes(path))]
    assert not wrong, "\n".join(wrong)


def test_arrows_have_no_circle():
    done = []

    def visit(room, way):
        assert room not in way, " -> ".join(way + [room])
        if room not in done:
            for other in ARROWS[room]:
                visit(other, way + [room])
            done.append(room)

    for room in ARROWS:
        visit(room, [])


@pytest.mark.parametrize("path, include", [
    ("daemon/base/buf.c", ('"', "checkpoint/checkpoint.h")),
    ("daemon/queue/store.c", ("<", "microhttpd.h")),
    ("daemon/model/colpali.c", ("<", "curl/curl.h")),
])
def test_a_wrong_include_is_seen(path, include):
    assert len(wrong_includes(path, [include])) == 1
