"""The page hides the same characters as the daemon: dom.js repeats the table of str_char_visible()."""
import os
import pathlib
import re

SOURCE = pathlib.Path(os.environ.get("COLCONV_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
LAYOUT = {"\t", "\n"}  # HTML shows these as spaces, or as lines in <pre>


def characters(ranges):
    return {chr(c) for first, last in ranges for c in range(int(first, 16), int(last, 16) + 1)}


def hidden_by_the_daemon():
    text = (SOURCE / "daemon/base/str.c").read_text()
    body = text[text.index("\nstr_char_visible("):]
    return characters(re.findall(r"\{(0x[0-9a-f]+|0), (0x[0-9a-f]+)\}", body[:body.index("\n}\n")]))


def hidden_by_the_page():
    text = (SOURCE / "daemon/http/page/web/dom.js").read_text()
    inside = re.search(r"export const visible = .*?replace\(/\[(.*?)\]/g", text)[1]
    ranges = re.findall(r"\\u([0-9a-f]{4})(?:-\\u([0-9a-f]{4}))?", inside)
    assert re.sub(r"\\u[0-9a-f]{4}(-\\u[0-9a-f]{4})?", "", inside) == "", "dom.js has a range that this test cannot read"
    return characters((first, last or first) for first, last in ranges)


def test_the_page_hides_what_the_daemon_hides():
    daemon = hidden_by_the_daemon()
    assert len(daemon) > 80 and "\x1b" in daemon and "\u202e" in daemon
    assert sorted(hidden_by_the_page()) == sorted(daemon - LAYOUT)
