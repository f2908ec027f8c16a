"""Compares the matcher for an adapter's patterns with Python's own, which peft uses."""
import random
import re
import subprocess
import warnings

from conftest import BUILD

SEED, PATTERNS, TEXTS = 1, 6000, 4
ATOMS = ["a", "b", "c", ".", r"\.", "_", "1", r"\d", r"\w", r"\s", r"\D", r"\W", "[ab]", "[^a]", "[a-c.]", r"[\w.]", r"[^\d_]",
         "[]a]", "^", "$", r"\b", r"\B", r"\A", r"\Z", "{", "}", "a{", "(", ")", "[", "|", "*", "+", "?"]
REPEATS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{1,}", "{0}", "{}", "{x}"]


def make(rng, depth):
    """Makes a pattern; a few are invalid, like those that people write."""
    if depth == 0:
        return rng.choices(ATOMS, [6] * 18 + [1] * 6 + [0.3] * 10)[0]
    kind = rng.random()
    if kind < 0.4:
        return "".join(make(rng, depth - 1) for _ in range(rng.randint(1, 3)))
    if kind < 0.55:
        return "|".join(make(rng, depth - 1) for _ in range(rng.randint(2, 3)))
    if kind < 0.75:
        return f"{rng.choice(['(', '(?:'])}{make(rng, depth - 1)}){rng.choice(REPEATS)}"
    if kind < 0.85:
        return f"{rng.choice(['(?=', '(?!'])}{make(rng, depth - 1)})"
    return make(rng, 0) + rng.choice(REPEATS)


def wanted(pattern, text):
    """The result of re.match(); None when the pattern is invalid."""
    try:
        return bool(re.match(pattern, text))
    except re.error:
        return None


def agrees(line, want, got):
    """Possessive repeats and some kinds of groups are valid in Python, but refused here."""
    if want is None:
        return got in ("bad_checkpoint", "unsupported_model")
    return got == str(int(want)) or (got == "unsupported_model" and re.search(r"[*+?}]\+|\(\?[^:=!]", line))


def test_random_patterns_match_as_in_python():
    rng = random.Random(SEED)
    lines, want = [], []
    warnings.simplefilter("ignore", FutureWarning)  # "[[" and the like
    for _ in range(PATTERNS):
        pattern = make(rng, rng.randint(1, 4))
        if rng.random() < 0.5:
            pattern = rf"(.*\.)?({pattern})$"
        if len(pattern) > 80:
            continue  # Python may take long
        for _ in range(TEXTS):
            text = "".join(rng.choices("abc._1 ", k=rng.randint(0, 7)))
            lines.append(f"{pattern}\t{text}")
            want.append(wanted(pattern, text))
    run = subprocess.run([BUILD / "tests/tools/pymatch"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    got = run.stdout.splitlines()
    assert len(got) == len(lines)
    wrong = [row for row in zip(lines, want, got) if not agrees(*row)]
    assert not wrong, wrong[:10]
    assert {True, False, None} <= set(want) and want.count(True) > 1000
