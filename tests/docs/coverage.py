#!/usr/bin/env python3
"""
Writes docs/coverage.md: what colconv does with each published checkpoint that it knows by name.

The rows are those of GET /v1/models, so of daemon/spec/repositories.def, classes.def and unsupported.def. Build, and run it after a change of
these; tests/docs/test_coverage.py fails until then.
"""
import collections
import json
import os
import pathlib
import subprocess
import tempfile
import time

from pages import SOURCE

BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", SOURCE)).resolve()
PAGE = "docs/coverage.md"

HEAD = """\
# Coverage

What colconv does with published checkpoints, by name. This page is made from the program's tables (`tests/docs/coverage.py`);
`colconvctl models NAME` says the same for one repository, class or family.

**No published file was opened for this page.** "Verified" is said of the class: colconv's graphs were compared with the embeddings that the
original class, or a class rebuilt from public sources where the page says so, gave for tiny checkpoints with random weights in the layout that it
saves ([golden data](models.md#what-verified-means)). "Not seen" names what a conversion relies on beyond that, and only the published files show. Each
conversion is checked by [parity](parity.md); compare the first one of a checkpoint with the original class on your machine (`--reference`).

Names and numbers of parameters are those of mteb 2.26.24, whose list of visual retrievers with a vector for each token has {listed} entries. What is
converted is decided by config.json and the tensors, not by the name: a checkpoint with a known class is converted under any name.
"""


def models():
    """The answer of a daemon of this build."""
    with tempfile.TemporaryDirectory() as state:
        server = f"unix:{state}/socket"
        daemon = subprocess.Popen([BUILD / "colconvd", "--state", state, "--listen", server], stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 30
            while not os.path.exists(f"{state}/socket"):
                assert daemon.poll() is None and time.monotonic() < end, "colconvd did not start"
                time.sleep(0.01)
            return json.loads(subprocess.run([BUILD / "colconvctl", "models", "--server", server, "--json"], check=True, capture_output=True).stdout)
        finally:
            daemon.terminate()
            daemon.wait()


def words(row):
    """What is done with it, and what a user should know."""
    says = {"verified": "converted, verified on golden data of its class", "unseen": "converted, its files not seen: " + (row["detail"] or ""),
            "refused": "refused: " + (row["detail"] or "")}[row["status"]]
    if row["head"]:
        says += f"; needs `--head {row['head']}`"
    if row["pages"]:
        says += f"; makes vectors of queries alone, for pages of `{row['pages']}`"
    if row["experimental"]:
        says += "; experimental"
    return says + (f". {row['note'][0].upper()}{row['note'][1:]}" if row["note"] else "")


def line(row, titles):
    family = titles.get(row["architecture"], "-")
    size = f"{row['parameters']:,}" if row["parameters"] else "-"
    return f"| `{row['name']}` | {family} | `{row['class']}` | {size} | {row['width'] or '-'} | {words(row)} |"


def table(rows, titles):
    return ["", "| repository | family | class | parameters | width | what colconv does |", "|---|---|---|---|---|---|", *(line(r, titles) for r in rows), ""]


def counted(rows):
    count = collections.Counter(r["status"] for r in rows)
    return (f"Of {len(rows)}: {count['verified']} converted and verified on golden data of their class, {count['unseen']} converted with something not "
            f"seen, {count['refused']} refused.")


def page(answer):
    titles = {m["architecture"]: m["name"] for m in answer["models"]}
    listed = [r for r in answer["repositories"] if r["listed"]]
    other = [r for r in answer["repositories"] if not r["listed"]]
    lines = ["", "## On the list", "", counted(listed), *table(listed, titles), "## Beside the list", "", counted(other), *table(other, titles)]
    return HEAD.replace("{listed}", str(len(listed))) + "\n".join(lines)


if __name__ == "__main__":
    (SOURCE / PAGE).write_text(page(models()))
