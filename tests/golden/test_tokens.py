"""Compares token ids with those of Hugging Face's `tokenizers` (made by tests/golden/tokens/make.py)."""
import copy
import hashlib
import json
import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent / "tokens"
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", pathlib.Path(__file__).parents[2]))
TOOL = BUILD / "tests/tools/tokens"
VARIANTS = json.loads((HERE / "variants.json").read_text())
PUBLISHED = ["gemma3", "llama2", "llama3", "qwen3"]


def encode(path, strings):
    return subprocess.run([TOOL, path], input=json.dumps(strings), capture_output=True, text=True, timeout=60)


def ids_of(path, strings):
    run = encode(path, strings)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def variant(top=(), model=(), tokens=()):
    t = copy.deepcopy(VARIANTS["tiny"])
    t.update(top)
    t["model"].update(model)
    for token in t["added_tokens"]:
        token.update(dict(tokens).get(token["content"], {}))
    return t


def written(tmp_path, tokenizer):
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer if isinstance(tokenizer, str) else json.dumps(tokenizer))
    return path


@pytest.mark.parametrize("case", VARIANTS["variants"], ids=lambda case: case["name"].replace(" ", "-"))
def test_variant(tmp_path, case):
    path = written(tmp_path, variant(case["top"], case["model"], case["tokens"]))
    assert ids_of(path, case["strings"]) == case["ids"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name):
    path = BUILD / "runtime/tokenizers" / (name + ".json")
    want = json.loads((HERE / (name + ".json")).read_text())
    if not path.exists():
        pytest.skip(f"{path} is missing; ./bootstrap check fetches it")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == want["sha256"]
    assert ids_of(path, want["strings"]) == want["ids"]


def test_a_wrong_order_of_merges_is_seen(tmp_path):
    right, wrong = variant(), variant()
    wrong["model"]["merges"].reverse()
    letters = sorted({c for pair in right["model"]["merges"] for c in "".join(pair) if c.isalpha() and c.isascii()})
    strings = [a + b + c for a in letters for b in letters for c in letters]
    assert ids_of(written(tmp_path, wrong), strings) != ids_of(written(tmp_path, right), strings)


REFUSED = [
    ("normalizer 'Lowercase' is not written here", {"normalizer": {"type": "Lowercase"}}, {}),
    ("pre_tokenizer 'Metaspace' is not written here", {"pre_tokenizer": {"type": "Metaspace"}}, {}),
    ("a model of type 'Unigram' is not written here", {}, {"type": "Unigram"}),
    ("model.dropout is not written here", {}, {"dropout": 0.1}),
    ("model.end_of_word_suffix is not written here", {}, {"end_of_word_suffix": "</w>"}),
    ("the vocabulary has no '<nothing>'", {}, {"unk_token": "<nothing>"}),
    ("post_processor 'BertProcessing' is not written here", {"post_processor": {"type": "BertProcessing"}}, {}),
    ("pattern '(a'", {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"}}, {}),
    ("model.merges[0] is not a pair of tokens", {}, {"merges": ["ab"]}),
    ("the vocabulary lacks a token of it", {}, {"merges": ["nothing here"]}),
    ("must be a number", {}, {"vocab": {"a": -1}}),
    ("model.vocab", {}, {"vocab": []}),
]


@pytest.mark.parametrize("words, top, model", REFUSED)
def test_refused_by_name(tmp_path, words, top, model):
    run = encode(written(tmp_path, variant(top, model)), ["a"])
    assert run.returncode == 5 and words in run.stderr


def test_ids_that_others_would_number_differently_are_refused(tmp_path):
    tokenizer = variant()
    tokenizer["added_tokens"][-1]["id"] += 7
    run = encode(written(tmp_path, tokenizer), ["a"])
    assert run.returncode == 5 and "added_tokens" in run.stderr and "foo" in run.stderr


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"model": null}', '{"model": {"type": "BPE"}}', "\ufeff{}"])
def test_damaged(tmp_path, text):
    run = encode(written(tmp_path, text), ["a"])
    assert run.returncode == 5 and str(tmp_path) in run.stderr


def test_a_pattern_that_takes_forever_is_stopped(tmp_path):
    slow = {"type": "Split", "pattern": {"Regex": "(?:a|a)*(?:a|a)*(?:a|a)*\\b\\B"}, "behavior": "Isolated"}
    run = encode(written(tmp_path, variant({"pre_tokenizer": slow})), ["a" * 60])
    assert run.returncode == 5 and "limit" in run.stderr
