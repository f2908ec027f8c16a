"""The documents: their blocks of code, headings and links."""
import os
import pathlib
import re

SOURCE = pathlib.Path(os.environ.get("COLCONV_SOURCE", pathlib.Path(__file__).resolve().parents[2]))

# A reader on the web finds these first, in this order.
TOP = ("README.md", "GUARANTEES.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "HACKING.md")

# The first line of a block, as "```sh run": the language, then what the tests do with the block (test_docs.py).
FENCE = re.compile(r"^( *)```(.*)$")


class Block:
    """A fenced block: `kind` is the words after the fence, `line` the number of its first line, `text` what is in it."""

    def __init__(self, page, line, kind, text):
        self.page, self.line, self.kind, self.text = page, line, kind, text

    def __str__(self):
        return f"{self.page}:{self.line}"


def pages():
    return [*TOP, *sorted(str(p.relative_to(SOURCE)) for p in (SOURCE / "docs").glob("*.md"))]


def all_pages():
    """Includes the pages for developers, which are beside the sources."""
    beside = [p for top in ("client", "daemon", "proto", "tests") for p in (SOURCE / top).glob("**/*.md")]
    return [*pages(), *sorted(str(p.relative_to(SOURCE)) for p in beside)]


def text_of(page):
    return (SOURCE / page).read_text()


def blocks(page):
    found, start, indent, kind, lines = [], 0, "", None, []
    for number, line in enumerate(text_of(page).splitlines(), 1):
        fence = FENCE.match(line)
        if fence and kind is None:
            start, indent, kind, lines = number + 1, fence[1], fence[2].strip(), []
        elif fence:
            found.append(Block(page, start, kind, "\n".join(lines) + "\n"))
            kind = None
        elif kind is not None:
            lines.append(line.removeprefix(indent))
    assert kind is None, f"{page}:{start}: this block has no end"
    return found


def prose(page):
    """The page without its blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text_of(page), flags=re.M | re.S)


def anchors(page):
    """The anchors that GitHub generates for the page's headings."""
    found = set()
    for title in re.findall(r"^#+ +(.*)$", prose(page), re.M):
        title = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title).replace("`", "").strip().lower()
        name = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        found.add(name)
    return found


def links(page):
    """The targets of the page's links and images, without those on other hosts."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page)) + re.findall(r'(?:src|srcset|href)="([^"]+)"', prose(page))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def table_rows(page, first):
    """The rows of the table whose first heading is `first`, each a list of cells."""
    lines = text_of(page).splitlines()
    for i, line in enumerate(lines):
        if line.startswith(f"| {first} |"):
            rows = []
            for row in lines[i + 2:]:
                if not row.startswith("|"):
                    break
                rows.append([cell.strip() for cell in row.strip("|").split(" | ")])
            return rows
    raise AssertionError(f"{page} has no table that begins with '{first}'")
