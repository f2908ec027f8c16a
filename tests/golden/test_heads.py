"""What an embedding is of: jina-embeddings-v4, whose adapter and head a job chooses, and backbones that say no head."""
import array
import json
import shutil

import pytest

import tensors
from test_golden import HERE, check_every_graph, refused, run

JINA = HERE / "jina_v4-tiny"
ADAPTER = "adapters/adapter_model.safetensors"


@pytest.fixture
def jina(tmp_path):
    """A copy with the cases of one task; its parts may be changed."""
    def make(task):
        shutil.copytree(JINA, tmp_path / "jina", ignore=shutil.ignore_patterns("case-*"))
        for case in JINA.glob(f"case-{task}-*"):
            shutil.copy(case, tmp_path / "jina")
        return tmp_path / "jina"
    return make


def keep_tasks(checkpoint, *tasks):
    weights = tensors.read(checkpoint / ADAPTER)
    tensors.write(checkpoint / ADAPTER, {name: x for name, x in weights.items() if name.split(".")[-2] in tasks})


def names_set(checkpoint, names):
    config = json.loads((checkpoint / "config.json").read_text())
    config.pop("task_names", None)
    (checkpoint / "config.json").write_text(json.dumps({**config, **({"task_names": names} if names else {})}))


def facts_of(out):
    return json.loads((out / "manifest.json").read_text())["additional_metadata"]


@pytest.mark.parametrize("task, head", [("retrieval", "auto"), ("retrieval", "image-mean"), ("text-matching", "auto"),
                                        ("text-matching", "image-mean"), ("code", "multi-vector")])
def test_each_task_and_head(task, head, jina, tmp_path):
    check_every_graph(jina(task), tmp_path / "out", "--task", task, "--head", head)

    facts = facts_of(tmp_path / "out")
    single = head == "image-mean"
    outputs = ["embedding"] if single else ["embeddings", "embedding"]
    assert all(list(graph["outputs"]) == outputs for graph in facts["graphs"].values())
    if not single:
        assert facts["parity"]["outputs"]["embedding"]["worst"]["max_abs"] < 1e-5
    assert facts["warnings"] == []
    assert (facts["architecture"], facts["options"]["task"], facts["options"]["head"]) == ("jina_v4", task, head)
    assert (facts["head"], facts["similarity"]) == (("image-mean", "cosine") if single else ("multi-vector", "maxsim"))
    assert facts["dim"] == (48 if single else 20)
    assert "base" not in facts["source"] and facts["source"]["weights"][-1]["name"] == "adapter_model.safetensors"
    assert facts["processing"]["padding_side"] == "right" and facts["processing"]["prompt"]["library"] == "jinaai"


def test_the_adapters_name_that_peft_keeps_in_memory(jina, tmp_path):
    checkpoint = jina("code")
    weights = tensors.read(checkpoint / ADAPTER)
    tensors.write(checkpoint / ADAPTER, {name.replace("_A.", "_A.default.").replace("_B.", "_B.default."): x for name, x in weights.items()})

    check_every_graph(checkpoint, tmp_path / "out", "--task", "code")


def test_the_folder_of_the_adapters_over_a_base_that_is_given(jina, tmp_path):
    checkpoint = jina("code")
    (checkpoint / "adapters").rename(tmp_path / "adapters")
    for case in checkpoint.glob("case-*"):
        case.rename(tmp_path / "adapters" / case.name)

    check_every_graph(tmp_path / "adapters", tmp_path / "out", "--task", "code", "--base", checkpoint)


def merged(a, b, weight, scale):
    """weight + scale * (b a), of matrices as safetensors has them."""
    (_, (rank, columns), a), (_, (rows, _), b), (dtype, shape, w) = a, b, weight
    a, b, w = (array.array("f", x) for x in (a, b, w))
    for i in range(rows):
        for k in range(rank):
            factor = scale * b[i * rank + k]
            for j in range(columns):
                w[i * columns + j] += factor * a[k * columns + j]
    return dtype, shape, w.tobytes()


@pytest.fixture
def plain(jina):
    """What the -vllm- repositories hold: a plain Qwen2.5-VL with one adapter merged. `projection`: and with that of the task."""
    def make(task, projection, class_name):
        checkpoint = jina(task)
        weights = {}
        for file in checkpoint.glob("model-*.safetensors"):
            weights.update(tensors.read(file))
            file.unlink()
        (checkpoint / "model.safetensors.index.json").unlink()
        adapter = tensors.read(checkpoint / ADAPTER)
        for name in [name for name in adapter if f".lora_A.{task}." in name]:
            target = name.partition(".lora_A")[0].removeprefix("base_model.model.").replace("language_model.", "") + ".weight"
            weights[target] = merged(adapter[name], adapter[name.replace("_A.", "_B.")], weights[target], 7 / 5)
        shutil.rmtree(checkpoint / "adapters")
        if not projection:
            weights = {name: x for name, x in weights.items() if "projector" not in name}
        tensors.write(checkpoint / "model.safetensors", weights)
        config = json.loads((checkpoint / "config.json").read_text())
        config = {**config, "model_type": "qwen2_5_vl", "architectures": [class_name]}
        config.pop("auto_map")
        (checkpoint / "config.json").write_text(json.dumps(config))
        return checkpoint
    return make


def test_a_plain_backbone_with_the_adapter_merged(plain, tmp_path):
    checkpoint = plain("text-matching", projection=False, class_name="Qwen2_5_VLForConditionalGeneration")

    check_every_graph(checkpoint, tmp_path / "out", "--head", "image-mean")

    assert facts_of(tmp_path / "out")["processing"]["prompt"]["library"] == "jinaai"
    for head in ([], ["--head", "multi-vector"]):
        words = refused(checkpoint, "-o", tmp_path / "other", *head)
        assert "there is no projection" in words and "image-mean for jina-embeddings-v4" in words


@pytest.mark.parametrize("head", ["auto", "image-mean"])
def test_a_projection_that_was_merged_too(head, plain, tmp_path):
    check_every_graph(plain("code", projection=True, class_name="JinaV4MultiVector"), tmp_path / "out", "--head", head)


@pytest.mark.parametrize("options, words", [
    ([], "has an adapter for each of the tasks retrieval, text-matching, code: choose one with --task, or --task all"),
    (["--task", "code", "--adapter", "ignore"], "--task code asks for an adapter, and --adapter ignore leaves it out"),
    (["--task", "code", "--head", "mean"],
     "the head 'mean' is not one of the class 'JinaEmbeddingsV4Model' that config.json names, which has multi-vector, image-mean"),
])
def test_choices_that_do_not_fit(options, words, tmp_path):
    said = refused(JINA, "-o", tmp_path / "out", *options)

    assert "(bad_request)" in said and words in said
    assert not (tmp_path / "out").exists()


def test_a_task_that_the_file_does_not_have(jina, tmp_path):
    checkpoint = jina("code")
    keep_tasks(checkpoint, "retrieval", "text-matching")
    words = refused(checkpoint, "-o", tmp_path / "out", "--task", "code")
    assert "config.json: task_names has 'code', and '" in words and "has no adapter for it" in words

    names_set(checkpoint, ["retrieval", "text-matching"])
    words = refused(checkpoint, "-o", tmp_path / "out", "--task", "code")
    assert "(bad_request)" in words and "has no adapter for the task 'code', only for retrieval, text-matching" in words

    names_set(checkpoint, None)
    words = refused(checkpoint, "-o", tmp_path / "out")
    assert "has an adapter for each of the tasks retrieval, text-matching: choose one" in words


def test_the_only_task_needs_no_choice(jina, tmp_path):
    checkpoint = jina("code")
    keep_tasks(checkpoint, "code")
    names_set(checkpoint, ["code"])
    check_every_graph(checkpoint, tmp_path / "out")


@pytest.mark.parametrize("model_type", [None, "qwen2_5_vl"])
def test_the_keys_name_the_class(model_type, jina, tmp_path):
    """config.json may name no class, as after a change by hand."""
    checkpoint = jina("code")
    config = json.loads((checkpoint / "config.json").read_text())
    for key in ("architectures", "auto_map"):
        config.pop(key)
    (checkpoint / "config.json").write_text(json.dumps({**config, **({"model_type": model_type} if model_type else {})}))
    check_every_graph(checkpoint, tmp_path / "out", "--task", "code")
    assert facts_of(tmp_path / "out")["architecture"] == "jina_v4"


def test_no_adapters_at_all(jina, tmp_path):
    checkpoint = jina("code")
    words = refused(checkpoint, "-o", tmp_path / "out", "--adapter", "ignore")
    assert "(bad_request)" in words and "needs the adapter of a task, and none is used" in words
    shutil.rmtree(checkpoint / "adapters")
    words = refused(checkpoint, "-o", tmp_path / "out")
    assert "must have adapters/adapter_config.json and adapters/adapter_model.safetensors" in words


def test_adapters_of_a_model_that_has_no_tasks(tmp_path):
    words = refused(HERE / "colqwen2-tiny", "-o", tmp_path / "out", "--task", "code")
    assert "has no adapters for tasks (adapters/adapter_config.json): leave --task out" in words
    words = refused(HERE / "colqwen2-tiny-lora", "-o", tmp_path / "out", "--task", "code", "--base", HERE / "colqwen2-tiny")
    assert "is of no task: leave --task out" in words
    words = refused(JINA / "adapters", "-o", tmp_path / "out", "--base", JINA)
    assert "has an adapter for each of the tasks retrieval, text-matching, code: choose one with --task" in words


def test_a_head_of_before_the_release(jina, tmp_path):
    checkpoint = jina("code")
    (shard,) = checkpoint.glob("model-00001-*")
    index = json.loads((checkpoint / "model.safetensors.index.json").read_text())
    weights = tensors.read(shard)
    weights["single_vector_projector.weight"] = ("F32", [2, 48], bytes(2 * 48 * 4))
    tensors.write(shard, weights)
    index["weight_map"]["single_vector_projector.weight"] = shard.name
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))

    words = refused(checkpoint, "-o", tmp_path / "out", "--task", "code")

    assert "(unsupported_model)" in words and "'single_vector_projector.weight'" in words


# The single vector, cut

def cut_cases(checkpoint, dim):
    """The cases have what the original gives when it cuts, in place of the whole vector."""
    for path in checkpoint.glob("case-*"):
        case = tensors.read(path)
        tensors.write(path, {**case, "out.embedding": case[f"out.embedding_{dim}"]})


def config_set(checkpoint, **values):
    config = {**json.loads((checkpoint / "config.json").read_text()), **values}
    (checkpoint / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


@pytest.mark.parametrize("task, head, dim", [("retrieval", "auto", 8), ("code", "auto", 32), ("text-matching", "image-mean", 8),
                                             ("retrieval", "image-mean", 32)])
def test_the_single_vector_is_cut(task, head, dim, jina, tmp_path):
    checkpoint = jina(task)
    cut_cases(checkpoint, dim)

    check_every_graph(checkpoint, tmp_path / "out", "--task", task, "--head", head, "--dim", str(dim))

    facts = facts_of(tmp_path / "out")
    for graph in facts["graphs"].values():
        assert graph["outputs"]["embedding"]["shape"] == f"[batch, {dim}]"
        assert head == "image-mean" or graph["outputs"]["embeddings"]["shape"] == "[batch, sequence, 20]"
    if head == "auto":
        assert facts["parity"]["outputs"]["embedding"]["worst"]["max_abs"] < 1e-5
    assert facts["dim"] == (dim if head == "image-mean" else 20) and facts["options"]["dim"] == dim and facts["warnings"] == []


@pytest.mark.parametrize("options", [[], ["--target", "ort"]])
def test_the_single_vector_is_cut_for_all_tasks(options, jina, tmp_path):
    checkpoint = jina("code")
    cut_cases(checkpoint, 8)
    for path in checkpoint.glob("case-*"):
        case = tensors.read(path)
        rows = case["in.input_ids"][1][0]
        tensors.write(path, {**case, "in.task": ("I64", [rows], array.array("q", [2] * rows).tobytes())})

    check_every_graph(checkpoint, tmp_path / "out", "--task", "all", "--dim", "8", *options)


@pytest.mark.parametrize("class_name, head", [("Qwen2_5_VLForConditionalGeneration", "image-mean"), ("JinaV4MultiVector", "auto")])
def test_a_form_without_the_list_is_cut_to_any_width(class_name, head, plain, tmp_path):
    checkpoint = plain("retrieval", projection=head == "auto", class_name=class_name)
    config_set(checkpoint, matryoshka_dims=None)
    cut_cases(checkpoint, 32)

    check_every_graph(checkpoint, tmp_path / "out", "--head", head, "--dim", "32")

    words = refused(checkpoint, "-o", tmp_path / "other", "--head", head, "--dim", "49")
    assert "(bad_request)" in words and "dim must be from 1 to 48 for this checkpoint, not 49" in words


def test_widths_that_are_not_allowed(jina, tmp_path):
    for dim in (20, 49):
        words = refused(JINA, "-o", tmp_path / "out", "--task", "code", "--dim", str(dim))
        assert "(bad_request)" in words and f"dim must be one of 8, 16, 32, 48, which matryoshka_dims in config.json lists, not {dim}" in words
    checkpoint = jina("code")
    config_set(checkpoint, matryoshka_dims=None)
    words = refused(checkpoint, "-o", tmp_path / "out", "--task", "code", "--dim", "8")
    assert "(bad_request)" in words and "dim 8: this checkpoint's embeddings have 48 numbers, and nothing in its config.json says" in words


def test_a_width_for_the_methods_that_encode(jina, tmp_path):
    """The class's forward pass never cuts, so that its whole vector is what the cases have."""
    checkpoint = jina("code")
    config_set(checkpoint, truncate_dim=32)
    check_every_graph(checkpoint, tmp_path / "out", "--task", "code")
    (warning,) = facts_of(tmp_path / "out")["warnings"]
    assert "all 48 numbers of a row's vector" in warning and "truncate_dim of config.json: --dim 32 gives the same" in warning

    cut_cases(checkpoint, 32)
    check_every_graph(checkpoint, tmp_path / "cut", "--task", "code", "--dim", "32")
    assert facts_of(tmp_path / "cut")["warnings"] == []


@pytest.mark.parametrize("value", [0, 48])
def test_a_width_that_cuts_nothing(value, jina, tmp_path):
    checkpoint = jina("code")
    config_set(checkpoint, truncate_dim=value)
    run("colconvctl", "convert", checkpoint, "-o", tmp_path / "out", "--task", "code", "--variants", "text", "--no-parity")
    assert facts_of(tmp_path / "out")["warnings"] == []


@pytest.mark.parametrize("key, value", [("truncate_dim", "32"), ("matryoshka_dims", [8, 0])])
def test_widths_in_config_json_that_are_wrong(key, value, jina, tmp_path):
    checkpoint = jina("code")
    config_set(checkpoint, **{key: value})
    words = refused(checkpoint, "-o", tmp_path / "out", "--task", "code")
    assert "(bad_checkpoint)" in words and f"config.json: {key} must be" in words


# Vectors of zeros, and faults that the cases must see

@pytest.mark.parametrize("options", [[], ["--target", "ort"]])
def test_vectors_of_zeros_stay_zeros(options, jina, tmp_path):
    """The original divides by 1e-12 at least, so that a length of 0 does not give NaN."""
    checkpoint = jina("code")
    zeroed = {"model.norm.weight", "multi_vector_projector.bias"}
    for file in checkpoint.glob("model-*.safetensors"):
        weights = tensors.read(file)
        zeroed -= weights.keys()
        tensors.write(file, {name: (dtype, shape, bytes(len(data)) if name in ("model.norm.weight", "multi_vector_projector.bias") else data)
                             for name, (dtype, shape, data) in weights.items()})
    assert not zeroed
    for path in checkpoint.glob("case-*"):
        tensors.write(path, {name: (dtype, shape, bytes(len(data)) if name.startswith("out.") else data)
                             for name, (dtype, shape, data) in tensors.read(path).items()})

    check_every_graph(checkpoint, tmp_path / "out", "--task", "code", *options)


def adapter_config_set(checkpoint, **values):
    path = checkpoint / "adapters/adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def zero_factors(checkpoint, part):
    tensors.write(checkpoint / ADAPTER, {name: (dtype, shape, bytes(len(data)) if part in name and ".lora_B." in name else data)
                                         for name, (dtype, shape, data) in tensors.read(checkpoint / ADAPTER).items()})


def windows_remove(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    config["vision_config"]["fullatt_block_indexes"] = list(range(config["vision_config"]["depth"]))
    (checkpoint / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("fault, task", [
    pytest.param(lambda c: adapter_config_set(c, use_rslora=True), "retrieval", id="alpha over the root of r"),
    pytest.param(lambda c: zero_factors(c, ""), "retrieval", id="no adapter"),
    pytest.param(lambda c: zero_factors(c, "multi_vector_projector"), "retrieval", id="projection without its adapter"),
    pytest.param(lambda c: None, "code", id="the adapter of another task"),
    pytest.param(windows_remove, "retrieval", id="no windows in the tower"),
])
def test_the_cases_see_a_fault(fault, task, jina, tmp_path):
    """Each makes an embedding that is wrong by much, and no error."""
    checkpoint = jina("retrieval")
    (case,) = checkpoint.glob("case-*-image-*")
    fault(checkpoint)
    words = refused(checkpoint, "-o", tmp_path / "out", "--task", task, "--variants", "image", "--reference", case)
    assert "runs failed, the first being case 'retrieval-image-left-padded' on the image graph" in words


# The backbone alone

@pytest.fixture
def backbone(tmp_path):
    """BiQwen2, with a config.json that names the backbone."""
    shutil.copytree(HERE / "biqwen2-tiny", tmp_path / "plain")
    config = json.loads((tmp_path / "plain/config.json").read_text())
    (tmp_path / "plain/config.json").write_text(json.dumps({**config, "architectures": ["Qwen2VLForConditionalGeneration"]}))
    return tmp_path / "plain"


def test_a_head_that_config_json_does_not_say(backbone, tmp_path):
    assert "there is no projection" in refused(backbone, "-o", tmp_path / "out")

    check_every_graph(backbone, tmp_path / "out", "--head", "last-token")

    assert facts_of(tmp_path / "out")["head"] == "last-token"


def test_a_head_is_what_the_job_asks_for(tmp_path):
    """The mean of BiQwen2's tokens is not its last one: what makes the test above believable."""
    (case,) = (HERE / "biqwen2-tiny").glob("case-text-batch*")
    words = refused(HERE / "biqwen2-tiny", "-o", tmp_path / "out", "--variants", "text", "--head", "mean", "--reference", case)
    assert "1 of 5 runs failed, the first being case 'text-batch' on the text graph" in words
    run("colconvctl", "convert", HERE / "biqwen2-tiny", "-o", tmp_path / "out", "--variants", "text", "--head", "mean")
    assert facts_of(tmp_path / "out")["head"] == "mean"


@pytest.mark.parametrize("name, head, class_name", [("colqwen2-tiny", "last-token", "ColQwen2ForRetrieval"),
                                                    ("biqwen2-tiny", "multi-vector", "BiQwen2")])
def test_a_head_against_the_class(name, head, class_name, tmp_path):
    words = refused(HERE / name, "-o", tmp_path / "out", "--head", head)

    assert "(bad_request)" in words and f"the head '{head}' is not one of the class '{class_name}' that config.json names" in words


def test_a_projection_against_the_head(tmp_path):
    """The class is the backbone's, but the checkpoint has what makes a vector for each token."""
    shutil.copytree(HERE / "colgemma3-tiny", tmp_path / "plain")
    config = json.loads((tmp_path / "plain/config.json").read_text())
    (tmp_path / "plain/config.json").write_text(json.dumps({**config, "architectures": ["Gemma3ForConditionalGeneration"]}))

    words = refused(tmp_path / "plain", "-o", tmp_path / "out", "--head", "last-token")

    assert "is the projection of a vector for each token" in words
