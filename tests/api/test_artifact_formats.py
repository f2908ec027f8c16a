"""Manifests of both formats, the model card, and the folders that profiles ask for."""
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from programs import BIN

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", TOP))
GOLDEN = TOP / "tests/golden/colqwen2-tiny"


def ctl(*args):
    return subprocess.run([BIN / "colconvctl", *args], text=True, capture_output=True, timeout=100)


def convert(out, *args, checkpoint=GOLDEN):
    done = ctl("convert", checkpoint, "-o", out, *args)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "manifest.json").read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkpoint with a card, a licence and a processor, converted with parity."""
    box = tmp_path_factory.mktemp("formats")
    checkpoint = pathlib.Path(shutil.copytree(GOLDEN, box / "checkpoint"))
    (checkpoint / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Someone's model\n")
    (checkpoint / "LICENSE").write_text("Apache License\nVersion 2.0\n")
    (checkpoint / "tokenizer_config.json").write_text('{"padding_side": "right"}')
    (checkpoint / "preprocessor_config.json").write_text(
        '{"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "min_pixels": 3136, "max_pixels": 602112, "secret": 7}')
    manifest = convert(box / "out", "--variants", "text,image,unified", checkpoint=checkpoint)
    return checkpoint, box / "out", manifest


def test_a_manifest_is_a_model_package(made):
    """The keys of ONNX Runtime's packages, and no others at the top."""
    _, out, manifest = made

    assert list(manifest) == ["schema_version", "package_name", "components", "additional_metadata"]
    assert (manifest["schema_version"], manifest["package_name"]) == ("1.0", "checkpoint")
    assert {name: c["variants"]["cpu"] for name, c in manifest["components"].items()} == {
        name: {"variant_directory": ".", "ep": "CPUExecutionProvider", "device": "cpu", "executor_info": {"ort": {"model_file": file}}}
        for name, file in [("text", "text.onnx"), ("image", "image.onnx"), ("unified", "model.onnx")]}


def test_onnx_runtime_opens_the_package(made):
    onnxruntime = pytest.importorskip("onnxruntime")
    if not hasattr(onnxruntime, "ModelPackageContext"):
        pytest.skip("this onnxruntime knows no model packages")
    package = onnxruntime.ModelPackageContext(str(made[1]))

    assert package.get_component_names() == ["text", "image", "unified"]
    options = onnxruntime.ModelPackageOptions(onnxruntime.SessionOptions())
    session = package.select_component("text", options).create_session()
    assert [i.name for i in session.get_inputs()] == ["input_ids", "attention_mask"]


def test_the_facts_say_how_to_feed_the_graphs(made):
    facts = made[2]["additional_metadata"]

    assert (facts["format"], facts["dim"], facts["similarity"]) == ("colconv-manifest/2", 128, "maxsim")
    assert facts["source"]["license"] == "apache-2.0"
    assert facts["devices"]["onnxruntime"] == "cpu" and facts["devices"]["reference"] in ("cpu", "cuda")
    processing = facts["processing"]
    assert processing["prompt"] == processing["prompts"][0]
    assert (processing["prompt"]["library"], processing["prompt"]["versions"]) == ("transformers", "5.16 and newer")
    assert processing["prompt"]["query"] == "Query: {text}" + 10 * "<|endoftext|>" + "\n"
    assert processing["prompt"]["document"].count("{image}") == 1
    config = json.loads((GOLDEN / "config.json").read_text())["vlm_config"]
    assert processing["tokens"]["image"] == config["image_token_id"]
    assert processing["padding_side"] == "right"
    assert processing["pictures"] == {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4],
                                      "min_pixels": 3136, "max_pixels": 602112}


def test_the_licence_is_copied_and_the_card_is_ours(made):
    checkpoint, out, manifest = made

    assert (out / "LICENSE").read_bytes() == (checkpoint / "LICENSE").read_bytes()
    assert {"LICENSE", "README.md"} <= {f["name"] for f in manifest["additional_metadata"]["files"]}
    head = (out / "README.md").read_text().split("---\n")[1]
    assert head == ("license: apache-2.0\nlibrary_name: onnx\npipeline_tag: visual-document-retrieval\n"
                    "tags:\n- onnx\n- colqwen2\n- multi-vector\n")


@pytest.mark.parametrize("text", ["root:x:0:0:root:/root:/bin/bash\n", "licence \0 copyright"])
def test_a_licence_that_is_none_is_refused(tmp_path, text):
    checkpoint = pathlib.Path(shutil.copytree(GOLDEN, tmp_path / "checkpoint"))
    (checkpoint / "LICENSE").write_text(text)

    done = ctl("convert", checkpoint, "-o", tmp_path / "out", "--variants", "text", "--no-parity")

    assert done.returncode == 5 and "LICENSE' is not" in done.stderr and "root:" not in done.stderr


@pytest.mark.parametrize("card", ["license: mit\n", "---\nlicense: [mit]\n---\n", "---\ntitle: x\n---\nlicense: mit\n", "",
                                  "---\nlicense: a b\n---\n", "---\nlicense: " + 64 * "m" + "\n---\n"])
def test_a_card_that_declares_no_identifier(tmp_path, card):
    checkpoint = pathlib.Path(shutil.copytree(GOLDEN, tmp_path / "checkpoint"))
    (checkpoint / "README.md").write_text(card)

    facts = convert(tmp_path / "out", "--variants", "text", "--no-parity", checkpoint=checkpoint)["additional_metadata"]

    assert "license" not in facts["source"] and facts["devices"] is None
    assert "declares no license" in (tmp_path / "out/README.md").read_text()


def test_the_card_has_the_numbers_of_the_report(made):
    _, out, manifest = made
    card = (out / "README.md").read_text()
    report = json.loads((out / "parity.json").read_text())

    for graph in manifest["components"]:
        runs = [run for run in report["cases"] if run["model"] == graph]
        row = (f"| {graph} | {len(runs)} | {sum(run['tokens'] for run in runs)} | {max(run['max_abs'] for run in runs):.1e} | "
               f"{min(run['min_cosine'] for run in runs):.7f} |")
        assert row in card, row
    for prompt in manifest["additional_metadata"]["processing"]["prompts"]:
        assert f"| {prompt['library']} | {prompt['versions']} |" in card


def test_the_same_input_gives_the_same_bytes(made, tmp_path):
    checkpoint, out, _ = made
    convert(tmp_path / "out", "--variants", "text,image,unified", checkpoint=checkpoint)

    for name in ("README.md", "manifest.json"):
        ours = re.sub(r'"(size|sha256|max_abs|min_cosine)": [^,\n]*', "", (out / name).read_text())
        assert ours == re.sub(r'"(size|sha256|max_abs|min_cosine)": [^,\n]*', "", (tmp_path / "out" / name).read_text())


def example(out):
    (code,) = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    return code


def test_the_cards_example_runs(made, tmp_path):
    compile(example(made[1]), "example", "exec")
    if not importlib.util.find_spec("onnxruntime") or not importlib.util.find_spec("numpy"):
        pytest.skip("onnxruntime is not installed for this Python")
    (tmp_path / "example.py").write_text(example(made[1]))

    done = subprocess.run([sys.executable, tmp_path / "example.py", made[1]], text=True, capture_output=True, timeout=100)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "query: (3, 128)\n"


@pytest.mark.parametrize("prompts, library, versions, prefix", [
    ("transformers", "transformers", "5.16 and newer", "Query: "),
    ("transformers@5.15.3", "transformers", "up to 5.15", "Query: "),
    ("transformers@4.57.6", "transformers", "up to 5.15", "Query: "),
    ("colpali-engine", "colpali-engine", "0.3.11 and newer", "{text}"),
    ("colpali-engine@0.3.18", "colpali-engine", "0.3.11 and newer", "{text}"),
    ("colpali-engine@0.3.10", "colpali-engine", "0.3.4 to 0.3.10", "Query: "),
    ("colpali-engine@0.3.4", "colpali-engine", "0.3.4 to 0.3.10", "Query: "),
])
def test_a_job_chooses_its_prompts(tmp_path, prompts, library, versions, prefix):
    facts = convert(tmp_path / "out", "--variants", "text", "--no-parity", "--prompts", prompts)["additional_metadata"]

    assert facts["options"]["prompts"] == prompts
    prompt = facts["processing"]["prompt"]
    assert (prompt["library"], prompt["versions"]) == (library, versions) and prompt["query"].startswith(prefix)


@pytest.mark.parametrize("prompts, words", [
    ("pylate", "ColQwen2 has no prompts of 'pylate', only those of transformers (5.16 and newer)"),
    ("colpali-engine@0.3.3", "colpali-engine (0.3.4 to 0.3.10)"),
    ("colpali-engine@", "LIBRARY or LIBRARY@VERSION"),
    ("colpali-engine@0..3", "LIBRARY or LIBRARY@VERSION"),
    ("@1", "LIBRARY or LIBRARY@VERSION"),
])
def test_prompts_that_are_not_there_are_refused(tmp_path, prompts, words):
    done = ctl("convert", GOLDEN, "-o", tmp_path / "out", "--variants", "text", "--no-parity", "--prompts", prompts)

    assert done.returncode in (2, 5) and words in done.stderr, done.stderr


# ---- the older format ----

def format1(out):
    """A manifest of format 1, as an older colconv wrote it: our facts are at the top level."""
    manifest = json.loads((out / "manifest.json").read_text())
    facts = manifest["additional_metadata"]
    keys = ["architecture", "parameters", "source", "options", "graphs", "versions", "parity", "warnings", "files"]
    (out / "manifest.json").write_text(json.dumps({"format": "colconv-manifest/1", **{key: facts[key] for key in keys}}))


def test_an_artifact_of_format_1_is_read(tmp_path):
    out = tmp_path / "out"
    convert(out, "--variants", "text", "--no-parity")
    format1(out)

    doc = json.loads(ctl("inspect", out, "--json").stdout)
    assert doc["manifest"]["format"] == "colconv-manifest/1" and doc["manifest"]["architecture"] == "colqwen2"
    assert doc["problems"] == doc["extra"] == []
    assert ctl("inspect", "--verify", out).returncode == 0
    with open(out / "text.onnx", "ab") as f:
        f.write(b"x")
    assert ctl("inspect", "--verify", out).returncode == 11


def test_the_daemon_and_fetch_take_artifacts_of_format_1(daemon, tmp_path):
    """The worker of this test writes one."""
    job = daemon.submit()
    assert daemon.wait_end(job)["state"] == "done"

    done = subprocess.run([BUILD / "colconvctl", "fetch", str(job), "-o", tmp_path / "files"], capture_output=True, text=True,
                          timeout=60, env={**os.environ, "COLCONV_SERVER": f"http://127.0.0.1:{daemon.port}", "HOME": str(tmp_path)})

    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "files/manifest.json").read_text())
    assert "additional_metadata" not in manifest
    for row in manifest["files"]:
        assert hashlib.sha256((tmp_path / "files" / row["name"]).read_bytes()).hexdigest() == row["sha256"]


# ---- folders of profiles ----

@pytest.mark.parametrize("profile, options, files", [
    ("sentence-transformers", [], {"onnx/model.onnx", "onnx/model.onnx_data", "modules.json", "config_sentence_transformers.json",
                                    "sentence_bert_config.json", "1_MultiVectorMask/config.json"}),
    ("transformersjs", [], {"onnx/text.onnx", "onnx/text.onnx_data", "onnx/image.onnx", "onnx/image.onnx_data"}),
    ("transformersjs", ["--dtype", "fp16", "--variants", "unified"], {"onnx/model_fp16.onnx", "onnx/model_fp16.onnx_data"}),
    ("transformers", [], {"model.onnx", "model.onnx.data", "export.json"}),
    ("optimum", [], {"model.onnx", "model.onnx_data"}),
])
def test_a_profiles_files(tmp_path, profile, options, files):
    out = tmp_path / "out"
    manifest = convert(out, "--profile", profile, *options)

    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert found == files | {"README.md", "config.json", "manifest.json", "parity.json"}
    assert found - {"manifest.json"} == {row["name"] for row in manifest["additional_metadata"]["files"]}
    assert ctl("inspect", "--verify", out).returncode == 0
    for component in manifest["components"].values():
        variant = component["variants"]["cpu"]
        assert (out / variant["variant_directory"] / variant["executor_info"]["ort"]["model_file"]).is_file()
    compile(example(out), "example", "exec")


@pytest.fixture
def real(stopped):
    return stopped.start("--worker", str(BUILD / "colconv-worker"), "--slots", "1")


def test_a_folder_travels_through_the_daemon(real, tmp_path):
    job = real.post("/v1/jobs", {"model": str(GOLDEN), "profile": "transformersjs", "parity": False, "variants": ["text"]}).json["id"]
    assert real.wait_end(job)["state"] == "done"

    done = subprocess.run([BUILD / "colconvctl", "fetch", str(job), "-o", tmp_path / "files"], capture_output=True, text=True,
                          timeout=60, env={**os.environ, "COLCONV_SERVER": f"http://127.0.0.1:{real.port}", "HOME": str(tmp_path)})

    assert done.returncode == 0, done.stderr
    assert ctl("inspect", "--verify", tmp_path / "files").returncode == 0
    content = (tmp_path / "files/onnx/text.onnx").read_bytes()
    for name in ("onnx/text.onnx", "onnx%2ftext.onnx"):
        assert real.get(f"/v1/jobs/{job}/files/{name}").body == content
    for name in ("onnx", "onnx/", "onnx/..", "onnx/../manifest.json", "onnx//text.onnx", "..%2fonnx%2ftext.onnx"):
        assert real.get(f"/v1/jobs/{job}/files/{name}").status == 404
