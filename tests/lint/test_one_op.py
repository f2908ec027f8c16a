"""In a model file one statement records one op.

C leaves the order open in which arguments are evaluated. `tr_add(t, tr_sin(t, x), tr_cos(t, x))` therefore
records its nodes in an order that depends on the compiler, and the artifact with it. A nested call is refused even
where its order is certain, so that nobody has to think about which is which. Allowed are tr_name() around a call,
and one constant (tr_i64, tr_f32) among the arguments.
"""
import glob
import os
import re

import pytest

SOURCE = os.environ.get("COLCONV_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
FILES = sorted(glob.glob(os.path.join(SOURCE, "daemon/model/*.c")))

CONSTANTS = {"tr_i64", "tr_f32"}
WRAPPERS = {"tr_name"}
RESULT = r"struct\s+(?:ir_value\s*\*|blk_text\s|decoder_attention\s|qwen2vl_images\s|tiles\s|tiles_build\s|siglip_part\s|attend\s|qwen2vl_fed\s|qwen_tower\s|qwen_features\s|between\s|gemma_build\s)\s*"
CALL = re.compile(r"\b([a-z_][a-z0-9_]*)\s*\(")


def code_of(text):
    """Returns the text without comments, strings and preprocessor lines; lines keep their numbers."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\])+\'', blank, text, flags=re.S)
    return re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


def recorders(texts):
    """Functions whose result is a value of the graph."""
    names = set()
    for text in texts:
        names.update(re.findall(RESULT + r"([a-z_][a-z0-9_]*)\s*\(", text))
    return names


def segments(code):
    """(line, text) of each expression outside all parentheses; expressions are separated by ; , { } ? : and operators."""
    depth, start, found = 0, 0, []
    for i, c in enumerate(code):
        before = code[:i].rstrip()[-1:] if c == "{" else ""
        if c in "([":
            depth += 1
        elif c == "{" and (depth or before in "=,({" or code[i - 1:i] == ")"):
            depth += 1  # of values, not of statements
        elif c in ")]" or (c == "}" and depth):
            depth -= 1
        elif depth == 0 and c in ";,{}?:&|":
            found.append((start, code[start:i]))
            start = i + 1
    return [(code.count("\n", 0, at + len(text) - len(text.lstrip())) + 1, text) for at, text in found]


def nested(text, names):
    """Lines of the text where more than one op is recorded."""
    wrong = []
    for line, part in segments(code_of(text)):
        calls = [name for name in CALL.findall(part) if name in names]
        ops = [name for name in calls if name not in CONSTANTS | WRAPPERS]
        constants = [name for name in calls if name in CONSTANTS]
        if len(ops) > 1 or len(constants) > 1 or (len(calls) > 1 and calls[0] in CONSTANTS):
            wrong.append((line, " ".join(calls)))
    return wrong


def all_names():
    headers = glob.glob(os.path.join(SOURCE, "daemon/trace/trace.h")) + glob.glob(os.path.join(SOURCE, "daemon/model/*.h"))
    texts = []
    for path in headers + FILES:
        with open(path, encoding="utf-8") as f:
            texts.append(code_of(f.read()))
    return recorders(texts)


@pytest.mark.parametrize("path", FILES, ids=os.path.basename)
def test_one_op_per_statement(path):
    with open(path, encoding="utf-8") as f:
        wrong = nested(f.read(), all_names())
    assert not wrong, "\n".join(f"{path}:{line}: more than one op in a statement: {calls}" for line, calls in wrong)


@pytest.mark.parametrize("text, lines", [
    ("\tx = tr_add(t, x, y);\n\ty = tr_name(t, tr_mul(t, x, tr_i64(t, 1)), \"y\");\n", []),
    ("\tx = tr_add(t, x,\n\t\ttr_sin(t, y));\n", [1]),
    ("\tx = 1;\n\tx = tr_where(t, c, tr_i64(t, 0), tr_i64(t, 1));\n", [2]),
    ("\tw = one ? tr_sin(t, x) : tr_cos(t, x);\n", []),
    ("\tstruct ir_value *a = tr_sin(t, x), *b = tr_cos(t, a);\n", []),
    ("\tstruct pair p = {tr_sin(t, x), tr_cos(t, x)};\n", [1]),
    ("\tuse(tr_sin(t, x), tr_cos(t, x)); /* tr_sin(tr_cos()) */\n", [1]),
    ("\tx = tr_name(t, tr_name(t, tr_add(t, tr_sin(t, x), x), \"a\"), \"b\");\n", [1]),
    ("void f(void)\n{\n\tif (c) {\n\t\tx = tr_sin(t, x);\n\t\ty = tr_cos(t, x);\n\t}\n}\n", []),
])
def test_the_lint_itself(text, lines):
    assert [line for line, _ in nested(text, all_names())] == lines
