"""docs/troubleshooting.md has every row of errors.def.

The page is made from the table:  python3 tests/lint/test_errors.py > docs/troubleshooting.md
"""
import os
import re

SOURCE = os.environ.get("COLCONV_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

HEAD = """# Troubleshooting

Look for the word that `colconvctl show` prints as the job's `reason`, that an error of the API has as its `code`, or that stands
in parentheses in a message. Each has what it means and what to do. `{id}` stands for the number of your job.

Jobs whose reason says "tried again" are tried again by the daemon, as often as `--attempts` allows.
"""

ROW = re.compile(r'^ERR\((\w+), *"(\w+)", *(\d+), *(\d+), *(true|false), *"([^"]*)",\s*"([^"]*)"\)$', re.M)


def rows():
    with open(os.path.join(SOURCE, "daemon/base/errors.def"), encoding="utf-8") as f:
        text = f.read()
    found = ROW.findall(text)
    assert len(found) == len(re.findall(r"^ERR\(", text, re.M)), "a row of errors.def that this test cannot read"
    return found


def page():
    parts = [HEAD]
    for _, name, http, status, retry, meaning, remedy in sorted(rows(), key=lambda row: row[1]):
        again = "; tried again" if retry == "true" else ""
        remedy = remedy.replace("{command}", "COMMAND ")
        parts.append(f"\n## {name}\n\n{meaning[0].upper()}{meaning[1:]} (HTTP {http}, exit status {status}{again}).\n\n"
                     f"What to do: {remedy}.\n")
    return "".join(parts)


def test_the_page_is_made_from_the_table():
    with open(os.path.join(SOURCE, "docs/troubleshooting.md"), encoding="utf-8") as f:
        assert f.read() == page(), "run: python3 tests/lint/test_errors.py > docs/troubleshooting.md"


def test_remedies_are_sentences():
    for _, name, _, _, _, _, remedy in rows():
        assert remedy and not remedy.endswith(".") and "%" not in remedy and " ID'" not in remedy, name
        assert set(re.findall(r"{\w*}", remedy)) <= {"{id}", "{command}"}, name


if __name__ == "__main__":
    print(page(), end="")
