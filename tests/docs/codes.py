#!/usr/bin/env python3
"""
Brings docs/troubleshooting.md in step with daemon/base/errors.def.

Each code has a heading on the page, and below it the words of the table. What follows, up to the next heading, is written by hand and
is left as it is. Run it after a change of the table; tests/docs/test_docs.py fails until then.
"""
import ast
import re
import sys

from pages import SOURCE

PAGE = "docs/troubleshooting.md"
TABLE = "daemon/base/errors.def"
WORDS = r'"(?:[^"\\]|\\.)*"'
ROW = re.compile(rf'^ERR\((\w+),\s*"(\w+)",\s*(\d+),\s*(\d+),\s*(true|false),\s*({WORDS}(?:\s*{WORDS})*),\s*({WORDS}(?:\s*{WORDS})*)\)', re.M)


class Code:
    def __init__(self, match):
        _, self.name, self.http, self.status, again, meaning, remedy = match.groups()
        self.again = again == "true"
        self.meaning, self.remedy = text(meaning), text(remedy)

    def lines(self):
        """The lines of the page below its heading."""
        facts = f"Exit status {self.status}, HTTP status {self.http}. " + ("A job is tried again." if self.again else "A job is not tried again.")
        return [sentence(self.meaning), facts, "**To do:** " + sentence(self.remedy)]


def text(literals):
    """Joins consecutive C string literals."""
    return "".join(ast.literal_eval(word) for word in re.findall(WORDS, literals))


def sentence(words):
    """Makes a sentence: placeholders are filled in as the reader would, and commands are marked as code."""
    words = words.replace("{id}", "7").replace("{command}", "submit ")
    words = re.sub(r"'((?:colconv\w*|systemctl) [^']*)'", lambda m: f"`{m[1].strip()}`", words)
    return words[0].upper() + words[1:] + "."


def codes():
    rows = [Code(match) for match in ROW.finditer((SOURCE / TABLE).read_text())]
    assert len(rows) == len(re.findall(r"^ERR\(", (SOURCE / TABLE).read_text(), re.M)), "a row of the table was not understood"
    return rows


def renewed(page):
    """Returns the page with the current text of the table."""
    for code in codes():
        section = re.search(rf"^### `{code.name}`\n\n(.*?)(?=^##|\Z)", page, re.M | re.S)
        if not section:
            raise SystemExit(f"{PAGE} has no heading '### `{code.name}`'")
        by_hand = [p for p in section[1].strip().split("\n\n") if p and not p.startswith("> ")]
        fixed = "\n>\n".join("> " + line for line in code.lines())
        page = page[:section.start(1)] + "\n\n".join([fixed, *by_hand]) + "\n\n" + page[section.end(1):]
    names = {code.name for code in codes()}
    for name in re.findall(r"^### `(\w+)`$", page, re.M):
        if name not in names:
            raise SystemExit(f"{PAGE} has '{name}', which is not a code of {TABLE}")
    return page.rstrip("\n") + "\n"


def main():
    path = SOURCE / PAGE
    path.write_text(renewed(path.read_text()))


if __name__ == "__main__":
    sys.exit(main())
