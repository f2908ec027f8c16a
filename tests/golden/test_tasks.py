"""`--task all`: one artifact whose graphs take the number of each row's task, against the original's embeddings of each task."""
import array
import json
import shutil
import subprocess

import pytest

import tensors
from test_golden import BUILD, HERE, check_every_graph, refused, run
from test_heads import ADAPTER, JINA, facts_of, jina, keep_tasks, names_set
from test_page_families import checkpoint as family_checkpoint

__all__ = ["family_checkpoint", "jina"]  # fixtures
TASKS = {"retrieval": 0, "text-matching": 1, "code": 2}


def i64(*numbers):
    return "I64", [len(numbers)], array.array("q", numbers).tobytes()


def task_of(case):
    return next(task for task in TASKS if case.name.startswith(f"case-{task}-"))


@pytest.fixture
def every(tmp_path):
    """A copy with the cases of every task, which say it."""
    folder = tmp_path / "every"
    shutil.copytree(JINA, folder)
    for case in folder.glob("case-*"):
        inputs = tensors.read(case)
        rows = inputs["in.input_ids"][1][0]
        tensors.write(case, {**inputs, "in.task": i64(*[TASKS[task_of(case)]] * rows)})
    return folder


@pytest.mark.parametrize("options", [[], ["--target", "ort"]])
def test_each_task_of_one_artifact(options, every, tmp_path):
    check_every_graph(every, tmp_path / "out", "--task", "all", *options)

    facts = facts_of(tmp_path / "out")
    assert facts["tasks"] == TASKS and facts["options"]["task"] == "all" and facts["warnings"] == []
    for graph in facts["graphs"].values():
        assert graph["inputs"]["task"] == {"type": "i64", "shape": "[batch]"}
    assert "The input `task` has a number for each row, that of its task: 0 retrieval, 1 text-matching, 2 code." in \
        (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize("options", [["--storage", "bf16", "--max-abs", "0.1", "--min-cosine", "0.99"], ["--dtype", "fp16"],
                                     ["--storage", "int8", "--min-top5", "0.8"]])
def test_smaller_numbers(options, tmp_path):
    run("colconvctl", "convert", JINA, "-o", tmp_path / "out", "--task", "all", "--variants", "text,image,unified", *options)


def data_bytes(out):
    return sum(path.stat().st_size for path in out.glob("*.onnx_data*"))


def test_the_base_is_stored_once(tmp_path):
    for task in ("code", "all"):
        run("colconvctl", "convert", JINA, "-o", tmp_path / task, "--task", task, "--no-parity")
    factors = sum(len(data) for _, _, data in tensors.read(JINA / ADAPTER).values())
    more = data_bytes(tmp_path / "all") - data_bytes(tmp_path / "code")
    files = 2 * 4096 * 2 * 15  # each tensor begins at a multiple of 4096 bytes
    assert factors < more < factors + files


def test_rows_of_several_tasks_in_one_call(every, tmp_path):
    """A batch whose rows have different tasks is the rows of the batches of these tasks."""
    batches = {task: tensors.read(every / f"case-{task}-text-batch.safetensors") for task in ("retrieval", "code")}
    retrieval, code = batches["retrieval"], batches["code"]
    assert retrieval["in.input_ids"] == code["in.input_ids"], "the goldens have one text for all tasks"
    dtype, shape, data = retrieval["out.embeddings"]
    row = len(data) // shape[0]
    rows = [(retrieval if i % 2 == 0 else code)["out.embeddings"][2][i * row:(i + 1) * row] for i in range(shape[0])]
    mixed = {name: x for name, x in retrieval.items() if name.startswith("in.")}
    tensors.write(tmp_path / "case-mixed.safetensors",
                  {**mixed, "in.task": i64(*[0 if i % 2 == 0 else 2 for i in range(shape[0])]), "out.embeddings": (dtype, shape, b"".join(rows))})
    run("colconvctl", "convert", JINA, "-o", tmp_path / "out", "--task", "all", "--variants", "text,unified", "--max-abs", "1e-5",
        "--reference", tmp_path / "case-mixed.safetensors")


@pytest.mark.parametrize("wrong", [-1, 3, 1 << 40])
def test_a_task_that_there_is_not_makes_the_call_fail(wrong, every, tmp_path):
    case = every / "case-code-text-batch.safetensors"
    inputs = tensors.read(case)
    tensors.write(case, {**inputs, "in.task": i64(*[2] * (inputs["in.input_ids"][1][0] - 1), wrong)})
    words = refused(every, "-o", tmp_path / "out", "--task", "all", "--variants", "text", "--reference", case)
    assert "1 of 5 runs failed" in words and "code-text-batch" in words and "task.must_be_one_of_the_artifact" in words


@pytest.mark.parametrize("task", TASKS)
def test_parity_covers_every_task(task, jina, tmp_path):
    """An artifact of a checkpoint in which one task's adapter differs fails against the checkpoint."""
    checkpoint = jina("code")
    weights = tensors.read(checkpoint / ADAPTER)
    for name, (dtype, shape, data) in weights.items():
        if f".lora_B.{task}." in name:
            numbers = array.array("f", data)
            weights[name] = dtype, shape, array.array("f", (1.5 * x for x in numbers)).tobytes()
    tensors.write(checkpoint / ADAPTER, weights)
    run("colconvctl", "convert", checkpoint, "-o", tmp_path / "out", "--task", "all", "--variants", "text,image", "--no-parity")

    done = subprocess.run([BUILD / "colconvctl", "verify", tmp_path / "out", "--checkpoint", JINA], capture_output=True, text=True, timeout=100)
    assert done.returncode == 10, done.stderr
    done = subprocess.run([BUILD / "colconvctl", "verify", tmp_path / "out", "--checkpoint", checkpoint], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_a_task_that_leaves_a_weight_as_it_is(every, tmp_path):
    """Its factors may be missing, which is the same as zeros."""
    weights = tensors.read(every / ADAPTER)
    of = ".0.mlp.up_proj.lora_{}.code.weight"
    some = {name: x for name, x in weights.items() if not name.endswith((of.format("A"), of.format("B")))}
    assert len(some) == len(weights) - 2
    tensors.write(every / ADAPTER, some)
    run("colconvctl", "convert", every, "-o", tmp_path / "out", "--task", "all", "--variants", "text")

    tensors.write(every / ADAPTER, {name: (dtype, shape, bytes(len(data)) if name.endswith(of.format("B")) else data)
                                    for name, (dtype, shape, data) in weights.items()})
    run("colconvctl", "verify", tmp_path / "out", "--checkpoint", every)


def test_the_order_is_that_of_config_json(jina, tmp_path):
    checkpoint = jina("code")
    names_set(checkpoint, ["code", "retrieval"])
    run("colconvctl", "convert", checkpoint, "-o", tmp_path / "out", "--task", "all", "--variants", "text")
    assert facts_of(tmp_path / "out")["tasks"] == {"code": 0, "retrieval": 1}
    names_set(checkpoint, None)
    keep_tasks(checkpoint, "text-matching", "code")
    run("colconvctl", "convert", checkpoint, "-o", tmp_path / "other", "--task", "all", "--variants", "text")
    assert facts_of(tmp_path / "other")["tasks"] == {"code": 0, "text-matching": 1}


def test_an_adapter_that_is_more_than_factors(jina, tmp_path):
    checkpoint = jina("code")
    config = json.loads((checkpoint / "adapters/adapter_config.json").read_text())
    (checkpoint / "adapters/adapter_config.json").write_text(json.dumps({**config, "init_lora_weights": "pissa"}))
    words = refused(checkpoint, "-o", tmp_path / "out", "--task", "all")
    assert "(unsupported_model)" in words and "cannot be kept beside the weight: convert one task (--task)" in words


@pytest.mark.parametrize("profile", ["fastembed", "transformers", "embedanything", "transformersjs"])
def test_programs_that_do_not_feed_a_task(profile, tmp_path):
    words = refused(JINA, "-o", tmp_path / "out", "--task", "all", "--profile", profile)
    assert f"gives the graphs an input that the profile {profile} does not feed" in words


# ---- embed ----

@pytest.fixture
def artifact(family_checkpoint, tmp_path):
    folder = family_checkpoint("jina_v4")
    subprocess.run([BUILD / "tests/tools/mkcheckpoint", "--adapter", folder, "--tasks", "retrieval,text-matching,code", "--rank", "3",
                    folder / "adapters"], check=True, capture_output=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["JinaEmbeddingsV4Model"]}))
    return lambda *options: (run("colconvctl", "convert", folder, "-o", tmp_path / "artifact", *options), tmp_path / "artifact")[1]


def embeddings(out, *more):
    done = run("colconvctl", "embed", out, "--query", "hm", "--image", HERE / "e2e-colqwen2/page-0.png", *more)
    return [item["embeddings"] for item in json.loads(done.stdout)["items"]]


def test_embed_for_a_task(artifact, tmp_path):
    """Of a text and of a picture, with the graph that takes it: equal to the artifact of that task alone."""
    every = artifact("--task", "all", "--variants", "text,page")
    got = {task: embeddings(every, "--task", task) for task in TASKS}
    for task in TASKS:
        shutil.rmtree(tmp_path / "artifact")
        one = embeddings(artifact("--task", task, "--variants", "text,page", "--no-parity"))
        for a, b in zip(got[task], one):
            assert max(abs(x - y) for p, q in zip(a, b) for x, y in zip(p, q)) < 1e-5
    assert got["code"][0] != got["retrieval"][0] and got["code"][1] != got["retrieval"][1]


def test_embed_needs_the_right_task(artifact):
    every = artifact("--task", "all", "--variants", "text", "--no-parity")
    for options, words in [([], "no task is given: '"), (["--task", "music"], "unknown task music: '")]:
        done = subprocess.run([BUILD / "colconvctl", "embed", every, "--query", "a", *options], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and words in done.stderr and "has the tasks retrieval, text-matching, code: choose one with --task" in done.stderr


def test_embed_where_there_is_no_task(tmp_path):
    run("colconvctl", "convert", HERE / "e2e-colqwen2", "-o", tmp_path / "out", "--variants", "text", "--no-parity")
    done = subprocess.run([BUILD / "colconvctl", "embed", tmp_path / "out", "--query", "a", "--task", "code"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "take no task: leave --task out" in done.stderr
