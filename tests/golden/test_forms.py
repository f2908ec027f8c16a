"""Every form of an artifact (layout, storage, dtype, profile) gives the original's embeddings."""
import hashlib
import json

import pytest

from test_golden import HERE, run


# A form, and how near it comes to the original: of a checkpoint in bf16, and of one in fp32.
SAME = (["--max-abs", "1e-5"], ["--max-abs", "1e-5"])
ROUNDED = (["--max-abs", "1e-5"], ["--max-abs", "4e-2", "--min-cosine", "0.99"])
# Of these tiny matrices with random weights: a sum of 32 products has 8 times the noise of one of 2,048.
EIGHT = (["--min-cosine", "0.7", "--min-top5", "0.8"], ["--min-cosine", "0.7", "--min-top5", "0.8"])
HALF = ([], [])  # the default limits
FORMS = {
    "single": (["--layout", "single"], SAME),
    "sharded": (["--layout", "sharded", "--shard-size", "200kB"], SAME),
    "embedded": (["--layout", "embedded"], SAME),
    "bf16": (["--storage", "bf16"], ROUNDED),
    "bf16-sharded": (["--storage", "bf16", "--layout", "sharded", "--shard-size", "100kB"], ROUNDED),
    "bf16-embedded": (["--storage", "bf16", "--layout", "embedded"], ROUNDED),
    "ort": (["--target", "ort"], SAME),
    "ort-fp16": (["--target", "ort", "--dtype", "fp16"], HALF),
    "fp16": (["--dtype", "fp16"], HALF),
    "fp16-sharded": (["--dtype", "fp16", "--layout", "sharded", "--shard-size", "100kB"], HALF),
    "fp16-embedded": (["--dtype", "fp16", "--layout", "embedded"], HALF),
    "int8": (["--storage", "int8"], EIGHT),
    "int8-embedded": (["--storage", "int8", "--layout", "embedded"], EIGHT),
    "seed": (["--profile", "seed"], SAME),
    "embedanything": (["--profile", "embedanything"], HALF),
    "embedanything-fp16": (["--profile", "embedanything", "--dtype", "fp16"], HALF),
    "fastembed": (["--profile", "fastembed"], SAME),
}
QUERIES_ALONE = ["colnanovdr-tiny"]
BESIDE = {"colnanovdr-tiny": ["mask"], "neomme-tiny": ["dense_embeddings"]}  # outputs behind the embeddings


@pytest.mark.parametrize("name, output", [("colqwen2-tiny", "embeddings"), ("biqwen2-tiny", "embedding")])
def test_outputs_beside_the_embeddings(name, output, tmp_path):
    """Parity compares them with the embeddings of the same run."""
    run("colconvctl", "convert", HERE / name, "-o", tmp_path / "out", "--variants", "text,unified",
        "--outputs", "embeddings,embeddings_bits,embeddings_int8,is_image_token")

    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())["additional_metadata"]
    for graph in manifest["graphs"].values():
        assert list(graph["outputs"]) == [output, f"{output}_bits", f"{output}_int8", f"{output}_scale", "is_image_token"]
        assert [v["type"] for v in graph["outputs"].values()] == ["f32", "u8", "i8", "f32", "bool"]


@pytest.mark.parametrize("name, form", [
    *(("colqwen2-tiny", form) for form in FORMS),
    # Where the weights lie does not depend on the family; how they are rounded does, and what the outputs are.
    *((name, form) for name in ("colqwen2_5-tiny", "colqwen3-tiny", "colpali-tiny", "colmodernvbert-tiny", "colidefics3-tiny", "colgemma3-tiny",
                               "colministral3-tiny", "colqwen3_5-tiny", "colqwen3_5-tiny-vlm", "neomme-tiny", "collfm2-tiny", "granitevisionemb-tiny",
                               "nemoretriever-tiny", "colqwen_omni-tiny", "colnanovdr-tiny")
      for form in ("bf16", "fp16", "int8")),
    # Windows, tiles, features added behind layers, and each head.
    *((name, "ort") for name in ("colpali-tiny", "colmodernvbert-tiny", "colidefics3-tiny", "colgemma3-tiny", "colqwen2_5-tiny", "colqwen3-tiny", "biqwen2-tiny",
                              "colministral3-tiny")),
    *((name, "ort-fp16") for name in ("colpali-tiny", "colgemma3-tiny")),
    *((name, "int8") for name in ("colqwen3-tiny-ops", "colqwen3-tiny-nemotron", "biqwen2-tiny", "bimodernvbert-tiny")),
    *((name, "embedanything") for name in ("colpali-tiny", "colmodernvbert-tiny", "colidefics3-tiny")),
    *(("colqwen2-tiny-bf16-sharded", form) for form in ("bf16", "bf16-sharded")),
])
def test_every_form_gives_the_originals_embeddings(name, form, tmp_path):
    options, limits = FORMS[form]
    out = tmp_path / "out"
    cases = sorted((HERE / name).glob("case-*.safetensors"))
    references = [word for case in cases for word in ("--reference", case)]

    variants = "unified" if form == "fastembed" else "text" if name in QUERIES_ALONE else "text,image,unified"
    run("colconvctl", "convert", HERE / name, "-o", out, "--variants", variants, *options, *limits["bf16" not in name], *references)

    manifest = json.loads((out / "manifest.json").read_text())["additional_metadata"]
    assert {entry["name"] for entry in manifest["files"]} == {path.name for path in out.iterdir()} - {"manifest.json"}
    rounding = manifest["rounding"]
    assert (rounding is None) == ("int8" not in form)
    if rounding:
        assert 0 < len(rounding["kept"]) < rounding["matrices"] or rounding["bytes_kept"] == 0
        assert all((k["queries"], k["documents"]) == (64, 64) and k["top5"] >= 0.8 for k in manifest["parity"]["ranking"])
        pairs = {("text", "text")} if name in QUERIES_ALONE else {("text", "image"), ("unified", "unified")}
        assert {(k["queries_model"], k["documents_model"]) for k in manifest["parity"]["ranking"]} == pairs
        assert manifest["parity"]["cosine"]["median"] > 0.98
    for entry in manifest["files"]:
        content = (out / entry["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["size"], entry["sha256"])
    output = {"seed": "output_embeddings"}.get(form, "embedding" if name.startswith("bi") else "embeddings")
    kind = "f16" if "embedanything" in form else "f32"
    assert all(graph["outputs"][output]["type"] == kind for graph in manifest["graphs"].values())
    found = json.loads(run("colconvctl", "inspect", "--json", out).stdout)
    assert len(found["graphs"]) == len(manifest["graphs"])
    for graph in found["graphs"]:
        first = graph["outputs"][0]
        assert (first["name"], first["type"]) == (output, "FLOAT16" if kind == "f16" else "FLOAT")
        # A page of Granite has a vector for each patch of a tile.
        pages = [["batch", 9], ["batch", "vectors"]] if name.startswith("granite") else []
        shapes = [["batch"]] if name.startswith("bi") else [["batch", "sequence"], *pages]
        assert first["shape"][:-1] in shapes
        assert [o["name"] for o in graph["outputs"]][1:] == BESIDE.get(name, [])
    shards = {file.name: file.stat().st_size for file in out.glob("model.onnx_data*")}
    if "sharded" in form:
        assert len(shards) > 2 and max(shards.values()) <= manifest["options"]["shard_size"]
        assert set(shards) == {"model.onnx_data", *(f"model.onnx_data_{i}" for i in range(1, len(shards)))}
    else:
        assert len(shards) == ("embedded" not in form)
