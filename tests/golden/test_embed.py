"""Compares colconvctl embed and rank with the original library's embeddings."""
import array
import ast
import json
import os
import pathlib
import shutil
import struct
import subprocess

import pytest

import tensors
from programs import BIN

HERE = pathlib.Path(__file__).parent
MAX_ABS = 1e-5
# A picture goes through the page graph where there is one; else it is prepared in C for the graph that takes images.
GRAPHS = ["text,image", "unified", "text,page"]
PAGES_ALONE = ["colqwen3", "colidefics3"]  # the golden data has no embeddings of queries
FAMILIES = ["colqwen2", "colqwen3", "colpali", "colidefics3"]


def ctl(*args, **env):
    return subprocess.run([BIN / "colconvctl", *args], capture_output=True, timeout=120, env={**os.environ, **env})


def words(done):
    return done.stderr.decode(errors="replace")


def convert(checkpoint, out, *more):
    done = ctl("convert", checkpoint, "-o", out, "--no-parity", *more)
    assert done.returncode == 0, words(done)
    return out


def original(checkpoint):
    """[(option, argument, rows)] of all queries and pages for which there are embeddings."""
    facts, golden = json.loads((checkpoint / "e2e.json").read_text()), tensors.read(checkpoint / "e2e.safetensors")
    items = [("query", text, golden[f"query.{i}"]) for i, text in enumerate(facts["queries"]) if f"query.{i}" in golden]
    items += [("image", str(checkpoint / name), golden[f"page.{i}"]) for i, name in enumerate(facts["pages"])]
    return [(kind, what, rows(*tensor)) for kind, what, tensor in items]


def rows(dtype, shape, data):
    assert dtype == "F32" and len(shape) == 2
    flat = array.array("f", data)
    return [flat[i * shape[1]:(i + 1) * shape[1]].tolist() for i in range(shape[0])]


def embed(artifact, items, *more):
    return ctl("embed", artifact, *[word for kind, what, _ in items for word in (f"--{kind}", what)], *more)


def difference(got, want):
    assert len(got) == len(want) and len(got[0]) == len(want[0])
    return max(abs(a - b) for g, w in zip(got, want) for a, b in zip(g, w))


def maxsim(query, page):
    return sum(max(sum(a * b for a, b in zip(q, p)) for p in page) for q in query)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return convert(HERE / "e2e-colqwen2", tmp_path_factory.mktemp("embed") / "artifact")


@pytest.fixture
def broken(artifact, tmp_path):
    """An artifact that the test may damage."""
    return pathlib.Path(shutil.copytree(artifact, tmp_path / "artifact"))


@pytest.mark.parametrize("graphs", GRAPHS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_original(family, graphs, tmp_path):
    checkpoint = HERE / f"e2e-{family}"
    items = original(checkpoint)
    done = embed(convert(checkpoint, tmp_path / "artifact", "--variants", graphs), items)
    assert done.returncode == 0, words(done)
    doc = json.loads(done.stdout)
    assert doc["similarity"] == "maxsim" and len(doc["items"]) == len(items) == (4 if family in PAGES_ALONE else 8)
    for (kind, what, want), item in zip(items, doc["items"]):
        assert item[kind] == what
        assert difference(item["embeddings"], want) <= MAX_ABS, what


def test_rank(artifact):
    items = original(HERE / "e2e-colqwen2")
    queries, pages = [i for i in items if i[0] == "query"], [i for i in items if i[0] == "image"]
    done = ctl("rank", artifact, "--json", *[w for _, text, _ in queries for w in ("--query", text)], *[p for _, p, _ in pages])
    assert done.returncode == 0, words(done)
    for (_, text, vectors), ranking in zip(queries, json.loads(done.stdout)["queries"]):
        assert ranking["query"] == text
        want = {path: maxsim(vectors, page) for _, path, page in pages}
        assert [p["image"] for p in ranking["pages"]] == sorted(want, key=want.get, reverse=True)
        assert all(abs(p["score"] - want[p["image"]]) < 1e-4 for p in ranking["pages"])

    best = ranking["pages"][0]["image"]
    table = ctl("rank", artifact, "-q", text, *[p for _, p, _ in pages]).stdout.decode().splitlines()
    assert table[0].split() == ["SCORE", "PAGE"] and table[1].split()[0] == "1" and table[1].split()[2] == best
    names = ctl("rank", artifact, "-o", "name", "-q", text, *[p for _, p, _ in pages]).stdout.decode().splitlines()
    assert names == [p["image"] for p in ranking["pages"]]


def npy(path):
    """Returns the shape and the numbers of a NumPy file."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    (n,) = struct.unpack_from("<H", data, 8)
    assert (10 + n) % 64 == 0
    header = ast.literal_eval(data[10:10 + n].decode())
    assert header["descr"] == "<f4" and header["fortran_order"] is False
    return header["shape"], array.array("f", data[10 + n:])


def test_files(artifact, tmp_path):
    items = original(HERE / "e2e-colqwen2")[:6]
    assert embed(artifact, items, "-o", tmp_path / "all.npy").returncode == 0
    (n, tokens, dim), flat = npy(tmp_path / "all.npy")
    assert (n, tokens) == (6, max(len(want) for _, _, want in items)) and len(flat) == n * tokens * dim
    for i, (_, _, want) in enumerate(items):
        got = [flat[(i * tokens + t) * dim:(i * tokens + t + 1) * dim].tolist() for t in range(tokens)]
        assert difference(got[:len(want)], want) <= MAX_ABS
        assert not any(x for row in got[len(want):] for x in row)

    assert embed(artifact, items, "-o", tmp_path / "all.json").returncode == 0
    assert [i["embeddings"][0][0] for i in json.loads((tmp_path / "all.json").read_text())["items"]] == \
        pytest.approx([flat[i * tokens * dim] for i in range(n)], abs=1e-7)


def test_one_vector_each(tmp_path):
    """A single-vector class: compared by cosine, without an axis of tokens."""
    checkpoint = pathlib.Path(shutil.copytree(HERE / "e2e-colqwen2", tmp_path / "checkpoint"))
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "architectures": ["BiQwen2"]}))
    weights = tensors.read(checkpoint / "model.safetensors")
    tensors.write(checkpoint / "model.safetensors", {k: v for k, v in weights.items() if "custom_text_proj" not in k})
    artifact = convert(checkpoint, tmp_path / "artifact")
    items = original(checkpoint)
    doc = json.loads(embed(artifact, items).stdout)
    assert doc["similarity"] == "cosine" and len(doc["items"]) == 8
    query, page = doc["items"][0]["embedding"], doc["items"][4]["embedding"]
    assert len(query) == doc["dim"] and sum(x * x for x in query) == pytest.approx(1, abs=1e-5)
    ranking = json.loads(ctl("rank", artifact, "--json", "--query", items[0][1], items[4][1]).stdout)
    assert ranking["queries"][0]["pages"][0]["score"] == pytest.approx(sum(a * b for a, b in zip(query, page)), abs=1e-6)
    assert embed(artifact, items, "-o", tmp_path / "all.npy").returncode == 0
    assert npy(tmp_path / "all.npy")[0] == (8, doc["dim"])


# ---- what can be wrong ----

PAGE = HERE / "e2e-colqwen2/page-0.png"


def fails(done, status, *expected):
    text = words(done)
    assert done.returncode == status, text
    assert done.stdout == b"" and text.count("\n") <= 2
    for word in expected:
        assert word in text, text


def test_no_artifact(artifact, tmp_path):
    fails(ctl("embed", tmp_path / "gone", "--query", "x"), 2, "there is no folder", "the artifact was removed")
    fails(ctl("embed", HERE / "e2e-colqwen2", "--query", "x"), 2, "has no manifest.json")
    fails(ctl("embed", artifact), 2, "nothing to embed")
    fails(ctl("rank", artifact, PAGE), 2, "rank needs --query")
    fails(ctl("rank", artifact, "--query", "x"), 2, "rank")


def test_half_an_artifact(broken):
    text = (broken / "text.onnx").read_bytes()
    (broken / "text.onnx").unlink()
    fails(ctl("embed", broken, "--query", "x"), 11, "is not whole: text.onnx is missing")
    (broken / "text.onnx").write_bytes(text)
    (broken / "model.onnx_data").write_bytes(b"x")
    fails(ctl("embed", broken, "--query", "x"), 11, "is not whole: model.onnx_data has 1 bytes instead of")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_old_and_new_formats(broken):
    manifest = broken / "manifest.json"
    edit(manifest, lambda m: m["additional_metadata"].update(format="colconv-manifest/3"))
    fails(ctl("embed", broken, "--query", "x"), 2, "colconv-manifest/3", "use a newer colconv")
    facts = json.loads(manifest.read_text())["additional_metadata"]
    manifest.write_text(json.dumps({**facts, "format": "colconv-manifest/1"}))
    fails(ctl("embed", broken, "--query", "x"), 2, "artifact of format 1", "convert the checkpoint again")
    manifest.write_text("{")
    fails(ctl("embed", broken, "--query", "x"), 11, "manifest.json")


def test_manifest_without_prompts(broken):
    edit(broken / "manifest.json", lambda m: m["additional_metadata"]["processing"].update(prompt=None, page=None))
    fails(ctl("embed", broken, "--query", "x"), 2, "has no prompt for queries")
    fails(ctl("embed", broken, "--image", PAGE), 2, "does not prepare the pictures of this model")


@pytest.mark.parametrize("page", [{}, {"rule": "rolls"}, {"rule": "tiles"}, {"rule": "tiles", "tiles": {"begin": 1}},
                                  {"rule": "fixed", "image_tokens": -1}, "patches"], ids=str)
def test_manifest_of_nonsense(broken, page):
    edit(broken / "manifest.json", lambda m: m["additional_metadata"]["processing"].update(page=page))
    fails(ctl("embed", broken, "--image", PAGE), 11, "page")


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_missing_file(broken, name):
    (broken / name).unlink()
    done = ctl("embed", broken, "--image", PAGE)
    fails(done, 5, f"has no {name}")
    if name == "tokenizer.json":
        fails(ctl("embed", broken, "--query", "x"), 2, "has no tokenizer.json")


def test_no_graph(tmp_path):
    artifact = convert(HERE / "e2e-colqwen2", tmp_path / "artifact", "--variants", "text")
    fails(ctl("rank", artifact, "--query", "x", PAGE), 2, "has no graph for pages", "--variants text,image")


@pytest.mark.parametrize("query, said", [(b"a\xff", "byte 2 is wrong"), (b"", "is empty"), (b"x<|image_pad|>", "stands for an image"),
                                         (b"\xed\xa0\x80", "byte 1 is wrong")], ids=["invalid", "empty", "image", "surrogate"])
def test_query(artifact, query, said):
    fails(ctl("embed", artifact, "--query", query), 2, said)


def test_pictures(artifact, tmp_path):
    page = PAGE.read_bytes()
    for name, data, said in [("text.png", b"hello", "is not a PNG or JPEG file"), ("empty.png", b"", "is not a PNG or JPEG file"),
                             ("cut.png", page[:len(page) // 2], "cut.png")]:
        (tmp_path / name).write_bytes(data)
        fails(ctl("rank", artifact, "--query", "x", PAGE, tmp_path / name), 2, said)
    fails(ctl("rank", artifact, "--query", "x", tmp_path / "none.png"), 2, "there is no file")
    large = bytearray(page)
    large[16:24] = struct.pack(">II", 20000, 20000)
    (tmp_path / "large.png").write_bytes(large)
    fails(ctl("embed", artifact, "--image", tmp_path / "large.png"), 2, "large.png")


def test_no_runtime(artifact):
    fails(ctl("embed", artifact, "--query", "x", COLCONV_ORT_LIBRARY="/nowhere/lib.so"), 5, "ONNX Runtime was not found",
          "install ONNX Runtime")


def test_nothing_is_left(artifact, tmp_path):
    for query in ("x", b"\xff"):
        ctl("embed", artifact, "--query", query, TMPDIR=str(tmp_path))
    assert list(tmp_path.glob("colconvctl*")) == []
    fails(ctl("embed", artifact, "--query", "x", "-o", tmp_path / "x.txt"), 2, "must end in .json or .npy")
    fails(ctl("embed", artifact, "--query", "x", "-o", tmp_path / "none/x.npy"), 1, "none/x.npy")
