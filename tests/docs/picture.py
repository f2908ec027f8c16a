#!/usr/bin/env python3
"""
Makes the pictures of the programs: docs/session.svg, and with --dashboard docs/dashboard.png (needs chromium and chromium-driver).

  tests/docs/picture.py [--dashboard]

The session is what the real programs print to a pipe for a tiny checkpoint. tests/docs/test_docs.py runs it again and compares all but
its numbers with the picture.
"""
import base64
import html
import pathlib
import re
import sys
import tempfile
import time

from pages import SOURCE
from world import BUILD, World

sys.path.append(str(SOURCE / "tests/page"))

SESSION = SOURCE / "docs/session.svg"
DASHBOARD = SOURCE / "docs/dashboard.png"

# What is typed, and how many of the last lines of its output are shown (0: all).
COMMANDS = (
    ("colconvctl convert /srv/models/colqwen2-v1.0-hf -o /srv/onnx/colqwen2", 0),
    ("colconvctl parity /srv/onnx/colqwen2/parity.json", 7),
    ("ls /srv/onnx/colqwen2", 0),
)

# On the page, as in all examples, the temporary folder is not named.
RENAME = """
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode())
        walk.currentNode.data = walk.currentNode.data.replaceAll(arguments[0], "");
"""

WIDTH, LINE, LEFT, TOP = 820, 19, 18, 46
STYLE = """
    .paper { fill: #fbfcfd; stroke: #c9d1d9 }
    text { font: 13.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #24303c; white-space: pre }
    .typed { font-weight: 700; fill: #0b5cad }
    .good { fill: #1f7a34 }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117; stroke: #30363d }
      text { fill: #d5dde5 }
      .typed { fill: #79b8ff }
      .good { fill: #6fd487 }
    }
"""


def session():
    """Runs the session and returns its lines."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        world = World(pathlib.Path(folder) / "world")
        try:
            for command, last in COMMANDS:
                status, said = world.run(command)
                assert status == 0, said
                lines += ["$ " + command, *said.splitlines()[-last:]]
        finally:
            world.close()
    return lines


def drawn():
    """The lines of the session in the picture."""
    return [html.unescape(line) for line in re.findall(r'<text [^>]*class="\w*"[^>]*>(.*?)</text>', SESSION.read_text())]


def draw(lines):
    height = TOP + LINE * len(lines)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="A terminal session">',
           f"  <style>{STYLE}  </style>", f'  <rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
           *(f'  <circle cx="{20 + 18 * i}" cy="17" r="5.5" fill="{colour}"/>' for i, colour in enumerate(("#e0645a", "#e2b53e", "#57b560")))]
    for i, line in enumerate(lines):
        kind = "typed" if line.startswith("$ ") else "good" if re.search(r"\bok$|passed|parity holds", line) else ""
        out.append(f'  <text x="{LEFT}" y="{TOP + LINE * i}" class="{kind}" xml:space="preserve">{html.escape(line)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def photograph():
    """The dashboard of a real daemon after a few jobs."""
    from browser import Browser
    with tempfile.TemporaryDirectory() as folder:
        world = World(pathlib.Path(folder) / "world")
        browser = Browser(1180, 860)
        try:
            world.start("colconvd --state /var/lib/colconv")
            model = "/srv/models/colqwen2-v1.0-hf"
            status, said = world.run(f"colconvctl submit {model} --label team=search >/dev/null; colconvctl wait 1\n"
                                     f"colconvctl submit {model} --variants unified --max-abs 0 >/dev/null; colconvctl wait 2 || true\n"
                                     f"for i in 3 4 5; do colconvctl submit {model} --dtype fp16 --label team=search; done")
            assert status == 0, said
            browser.go(f"http://127.0.0.1:{world.port}/")
            time.sleep(2)       # for the page to draw: nobody waits for a picture that is made by hand
            browser.script(RENAME, str(world.folder))
            DASHBOARD.write_bytes(base64.b64decode(browser.do("GET", "/screenshot")))
        finally:
            browser.close()
            world.close()


def main():
    assert (BUILD / "colconvctl").exists(), "build first"
    if "--dashboard" in sys.argv:
        photograph()
    SESSION.write_text(draw(session()))


if __name__ == "__main__":
    main()
