#!/usr/bin/env python3
"""Makes the files beside it again: strings and the ids that Hugging Face's `tokenizers` gives them.

  make.py TINY.json NAME=TOKENIZER.json...

TINY.json is a tokenizer of bytes and a few merges; variants.json has it, changes to it, and ids for each change.
NAME.json has ids of a published tokenizer, which bootstrap fetches for the tests. Needs the Python package tokenizers.
"""
import copy
import hashlib
import json
import os
import random
import sys

import tokenizers

HERE = os.path.dirname(os.path.abspath(__file__))
SPECIAL = ["[M]", "<w>", "foo"]
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
GPT2 = dict(BYTES, use_regex=True)
PREFIX = dict(GPT2, add_prefix_space=True)
RANGES = [(32, 127)] * 6 + [
    (1, 32), (0xa0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x600, 0x700), (0x900, 0x980), (0xe00, 0xe80),
    (0x1100, 0x1200), (0x2000, 0x2100), (0x3040, 0x3100), (0x4e00, 0x4f00), (0xac00, 0xad00), (0x1f300, 0x1f650),
    (0xf900, 0xfa00), (0x1d400, 0x1d480), (0x20000, 0x20050)]
ODD = [" ", "\n", "\t", "\r\n", "  ", "'s", "'LL", "\u017f", "\u0130", "\xdf", "\ufb01", "e\u0301", "\u200b", "\ufeff",
       "\x85", "\u2028", "\u3000", "\x00", "\u2581", "\u0120"]


def split(pattern, behavior):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": False}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def variants():
    """Yields a name and the changes: keys of the file, of the model, and of the last three added tokens."""
    yield "plain", {}, {}, {}
    for flag in ("lstrip", "rstrip", "single_word", "normalized"):
        for token in SPECIAL:
            yield f"{flag} {token}", {}, {}, {token: {flag: True}}
    yield "both strips", {}, {}, {token: {"lstrip": True, "rstrip": True} for token in SPECIAL}
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield form, {"normalizer": {"type": form}}, {}, {"foo": {"normalized": True}}
    yield "prepend and replace", {"normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "_"}, {"type": "Replace", "pattern": {"String": " "}, "content": "a"}]}}, {}, {
            "foo": {"normalized": True}}
    yield "prefix space", {"pre_tokenizer": PREFIX}, {}, {}
    yield "prefix space, no regex", {"pre_tokenizer": dict(PREFIX, use_regex=False)}, {}, {}
    for each in (True, False):
        yield f"digits {each}", {"pre_tokenizer": sequence(
            {"type": "Digits", "individual_digits": each}, GPT2)}, {}, {}
    yield "merged with previous", {"pre_tokenizer": sequence(split({"String": "."}, "MergedWithPrevious"), BYTES)}, {}, {}
    yield "removed", {"pre_tokenizer": sequence(split({"Regex": "\\d+"}, "Removed"), BYTES)}, {}, {}
    yield "isolated", {"pre_tokenizer": sequence(split({"Regex": " ?\\w+|\\s+(?!\\S)"}, "Isolated"), BYTES)}, {}, {}
    yield "characters", {"pre_tokenizer": None}, {}, {}
    yield "unknown", {"pre_tokenizer": None}, {"unk_token": "a"}, {}
    yield "fused unknown", {"pre_tokenizer": None}, {"unk_token": "a", "fuse_unk": True}, {}
    yield "whole words", {}, {"ignore_merges": True}, {}
    special = {token: {"id": token, "ids": [i], "tokens": [token]} for i, token in ((3, "[M]"), (4, "<w>"))}
    yield "template", {"post_processor": {"type": "Sequence", "processors": [GPT2, {
        "type": "TemplateProcessing", "special_tokens": special, "pair": [
            {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "single": [{"SpecialToken": {"id": "[M]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "<w>", "type_id": 0}}]}]}}, {}, {}


def changed(tiny, top, model, tokens):
    t = copy.deepcopy(tiny)
    t.update(top)
    t["model"].update(model)
    for token in t["added_tokens"]:
        token.update(tokens.get(token["content"], {}))
    return t


def tiny_with_tokens(path):
    with open(path, encoding="utf-8") as f:
        tiny = json.load(f)
    first = max([token["id"] for token in tiny["added_tokens"]] + [len(tiny["model"]["vocab"]) - 1]) + 1
    for i, content in enumerate(SPECIAL):
        tiny["added_tokens"].append({"id": first + i, "content": content, "single_word": False, "lstrip": False,
                                     "rstrip": False, "normalized": False, "special": True})
    return tiny


def make_variants(tiny, rng):
    parts = SPECIAL + [" ", "\t", "a", "\xe9", "_", "1", ".", "\u3000", "[M", "x", "N", "\u0301", "e", "\u0130", "\u017f",
                       " \n", "12", "\u4e2d", "\ufb01"]
    out = []
    for name, top, model, tokens in variants():
        strings = ["".join(rng.choices(parts, k=rng.randint(0, 12))) for _ in range(40)]
        t = tokenizers.Tokenizer.from_str(json.dumps(changed(tiny, top, model, tokens)))
        out.append({"name": name, "top": top, "model": model, "tokens": tokens, "strings": strings,
                    "ids": [e.ids for e in t.encode_batch(strings)]})
    return {"tokenizers": tokenizers.__version__, "tiny": tiny, "variants": out}


def random_string(rng, pool, words, special):
    s = ""
    for _ in range(rng.randint(0, 14)):
        k = rng.random()
        if k < 0.06:
            s += rng.choice(special)
        elif k < 0.4:
            s += rng.choice(words).replace("\u0120", " ")
        else:
            s += rng.choice(pool) * rng.choice([1, 1, 1, 2, 5]) + (" " if k > 0.95 else "")
    return s


def make_published(path, rng):
    with open(path, "rb") as f:
        raw = f.read()
    file = json.loads(raw)
    pool = [chr(c) for r in RANGES for c in range(*r)] + ODD
    words = rng.sample(list(file["model"]["vocab"]), 3000)
    special = [token["content"] for token in file["added_tokens"]]
    strings = [random_string(rng, pool, words, special) for _ in range(300)]
    t = tokenizers.Tokenizer.from_file(path)
    t.no_truncation()
    t.no_padding()
    return {"tokenizers": tokenizers.__version__, "sha256": hashlib.sha256(raw).hexdigest(), "strings": strings,
            "ids": [e.ids for e in t.encode_batch(strings)]}


def write(name, value):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as f:
        json.dump(value, f, separators=(",", ":"))
        f.write("\n")


rng = random.Random(20261129)
write("variants.json", make_variants(tiny_with_tokens(sys.argv[1]), rng))
for argument in sys.argv[2:]:
    name, path = argument.split("=")
    write(name + ".json", make_published(path, rng))
