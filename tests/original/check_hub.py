#!/usr/bin/env python3
"""Holds tests/api/fake_hub.py and colconv's cache against the Hub's own client.

Not part of make check: it needs huggingface_hub, for example from a virtual environment:

  python3 -m venv venv && venv/bin/pip install huggingface_hub
  COLCONV_BUILD=. venv/bin/python tests/original/check_hub.py

The fake hub is no idea of our own when the original can download from it and understands its refusals; the cache has the
right layout when each side finds there what the other one fetched, and fetches nothing again.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", TOP)).resolve()
sys.path.insert(0, str(TOP / "tests/api"))
from fake_hub import FakeHub

SHARDED = TOP / "tests/golden/colqwen2-tiny-bf16-sharded"
FILES = {p.name: p.read_bytes() for p in SHARDED.iterdir() if not p.name.startswith("case-")}
FILES["tokenizer.json"] = b"{}"
REPO = "owner/model"
TOKEN = "hf_token"


def hubget(home, hub, *args, **env):
    hub.cdn = "" # ours takes no http but the endpoint's
    done = subprocess.run([BUILD / "tests/tools/hubget", REPO, *args], text=True, capture_output=True,
                          env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), **env})
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def child(home, hub, code, **env):
    """Runs Python with the original client set up for the fake hub."""
    hub.cdn = f"http://localhost:{hub.port}" # another host, as the real one has
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
           "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", **env}
    done = subprocess.run([sys.executable, "-c", "from huggingface_hub import *\nfrom huggingface_hub.errors import *\n" + code],
                          text=True, capture_output=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def contents(folder):
    return {p.name: p.read_bytes() for p in pathlib.Path(folder).iterdir()}


DOWNLOAD = f"print(snapshot_download('{REPO}', revision='v1.0'))"


def theirs_then_ours(hub, home):
    folder = child(home, hub, DOWNLOAD)
    assert contents(folder) == FILES
    assert {f.name for f in pathlib.Path(home, "hub/models--owner--model/blobs").iterdir()} == {
        f.etag for f in hub.repos[REPO].files.values()}
    hub.served.clear()
    assert hubget(home, hub, "v1.0") == folder
    assert hubget(home, hub, "v1.0", HF_HUB_OFFLINE="1") == folder
    assert hub.served == []


def ours_then_theirs(hub, home):
    folder = hubget(home, hub, "v1.0")
    hub.served.clear()
    assert child(home, hub, DOWNLOAD) == folder
    assert child(home, hub, DOWNLOAD, HF_HUB_OFFLINE="1") == folder
    assert child(home, hub, f"print(hf_hub_download('{REPO}', 'config.json', revision='v1.0'))") == folder + "/config.json"
    assert hub.served == []
    said = child(home, hub, "i = scan_cache_dir()\nassert not i.warnings, i.warnings\n"
                 "(r,) = i.repos\nprint(r.repo_id, r.nb_files, *[x for v in r.revisions for x in v.refs])")
    assert said == f"{REPO} {len(FILES)} v1.0", said


def refusals(hub, home):
    hub.tokens.update({TOKEN, "hf_other"})
    hub.add("owner/gated", FILES, token=TOKEN, gated=True)
    hub.add("owner/private", FILES, token=TOKEN)
    hub.renamed["old/model"] = REPO
    for code, error in [
        ("hf_hub_download('owner/gated', 'config.json')", "GatedRepoError"),
        ("hf_hub_download('owner/gated', 'config.json', token='hf_other')", "GatedRepoError"),
        ("hf_hub_download('owner/private', 'config.json')", "RepositoryNotFoundError"),
        ("hf_hub_download('owner/private', 'config.json', token='hf_other')", "RepositoryNotFoundError"),
        ("hf_hub_download('owner/none', 'config.json')", "RepositoryNotFoundError"),
        (f"hf_hub_download('{REPO}', 'config.json', revision='v9')", "RevisionNotFoundError"),
        (f"hf_hub_download('{REPO}', 'none.json')", "EntryNotFoundError"),
        ("HfApi().model_info('owner/private', token='hf_bad')", "HfHubHTTPError"),
    ]:
        child(home, hub, f"try:\n  {code}\nexcept {error}:\n  pass\nelse:\n  raise SystemExit('no error')")
    assert child(home, hub, "print(HfApi().model_info('old/model', files_metadata=True).id)") == REPO
    child(home, hub, f"print(hf_hub_download('owner/gated', 'config.json', token='{TOKEN}'))")
    child(home, hub, "print(snapshot_download('old/model'))")


def main():
    for check in (theirs_then_ours, ours_then_theirs, refusals):
        hub = FakeHub()
        hub.add(REPO, FILES, revisions=("main", "v1.0"))
        with tempfile.TemporaryDirectory() as home:
            check(hub, home)
        hub.close()
        print(check.__name__, "ok")


if __name__ == "__main__":
    main()
