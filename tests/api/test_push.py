"""colconvctl push, to a Hub that misbehaves."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from ctl import CTL, environment
from fake_hub import FakeHub

TOP = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = TOP / "tests/golden/colqwen2-tiny"
REPO = "owner/onnx-1"
TOKEN = "hf_aTokenThatNobodySeesHere"
E_USAGE, E_HUB, E_CANCELLED, E_MISMATCH = 2, 5, 6, 11
VARIABLES = ("HF_", "HUGGINGFACE", "COLCONV_", "SSL_CERT", "CREDENTIALS_DIRECTORY", "HTTP", "http", "ALL_", "all_")


@pytest.fixture
def hub():
    h = FakeHub()
    h.tokens.add(TOKEN)
    yield h
    h.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("push") / "artifact"
    done = subprocess.run([CTL, "convert", GOLDEN, "-o", out, "--variants", "text", "--no-parity"], env=environment(),
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def artifact(made, tmp_path):
    return pathlib.Path(shutil.copytree(made, tmp_path / "artifact"))


def push(hub, folder, *args, repo=REPO, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(VARIABLES)}
    env = {**clean, "HF_ENDPOINT": hub.url, "HF_HOME": "/nonexistent", "HF_TOKEN": TOKEN, "COLCONV_HUB_RETRY_MS": "1",
           "XDG_CONFIG_HOME": "/nonexistent", **env}
    done = subprocess.run([CTL, "push", folder, repo, *args], env=env, text=True, capture_output=True, timeout=60)
    assert TOKEN not in done.stdout + done.stderr
    return done


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def pushed(hub, repo=REPO):
    return {f.name: f.data for f in hub.repos[repo].files.values() if f.name != ".gitattributes"}


def count(hub, method, path):
    return sum(m == method and path in p for m, p, _, _ in hub.requests)


def test_a_new_repository(hub, artifact):
    done = push(hub, artifact, "--create", "-m", "first")

    repo = hub.repos[REPO]
    assert (done.returncode, done.stdout) == (0, f"{hub.url}/{REPO}/commit/{repo.commit}\n"), done.stderr
    assert pushed(hub) == files_of(artifact) and "README.md" in repo.files
    assert repo.summaries == ["first"] and repo.token is None
    assert repo.files["text.onnx"].lfs and not repo.files["config.json"].lfs


def test_a_private_repository(hub, artifact):
    assert push(hub, artifact, "--create", "--private").returncode == 0
    assert hub.repos[REPO].token == TOKEN


def test_large_files_go_in_parts(hub, artifact):
    hub.part_size = 100_000
    hub.add(REPO, {})
    (artifact / "empty.onnx").write_bytes(b"")
    done = push(hub, artifact)

    assert done.returncode == 0, done.stderr
    assert pushed(hub) == files_of(artifact)
    assert count(hub, "PUT", "?part=") == sum(-(-len(d) // 100_000) for n, d in files_of(artifact).items()
                                             if hub.repos[REPO].files[n].lfs and len(d) > 100_000)


def test_again_sends_what_changed(hub, artifact):
    push(hub, artifact, "--create")
    hub.requests.clear()
    done = push(hub, artifact, "--create", "--json")

    answer = json.loads(done.stdout)
    assert done.returncode == 0 and answer["commit"] is None and answer["sent"] == []
    assert set(answer["there"]) == set(files_of(artifact))
    assert count(hub, "PUT", "") == count(hub, "POST", "/commit/") == 0

    (artifact / "notes.md").write_text("new")
    answer = json.loads(push(hub, artifact, "--json").stdout)
    assert answer["sent"] == ["notes.md"] and answer["commit"].startswith(hub.url)
    assert pushed(hub) == files_of(artifact) and count(hub, "PUT", "") == 0


def test_after_a_failure_large_files_are_not_sent_again(hub, artifact):
    hub.add(REPO, {})
    hub.fault("/commit/", status=500)
    done = push(hub, artifact)
    assert done.returncode == E_HUB and "the commit: '127.0.0.1' answers 500" in done.stderr
    assert pushed(hub) == {}

    hub.requests.clear()
    assert push(hub, artifact).returncode == 0
    assert pushed(hub) == files_of(artifact) and count(hub, "PUT", "") == 0


@pytest.mark.parametrize("part_size", [1 << 30, 100_000])
@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"drop": 1000}])
def test_a_broken_upload_is_sent_again(hub, artifact, fault, part_size):
    hub.part_size = part_size
    hub.add(REPO, {})
    hub.fault("/store/", times=2, **fault)

    done = push(hub, artifact)
    assert done.returncode == 0, done.stderr
    assert pushed(hub) == files_of(artifact)


@pytest.mark.parametrize("pattern, fault, words", [
    ("/store/", {"status": 403, "times": 1}, "': the storage of the Hub answers 403"),
    ("/store/", {"status": 500, "times": 99}, "': after 6 tries: '127.0.0.1' answers 500"),
    ("preupload", {"status": 200, "body": b"{}"}, "files is missing"),
    ("preupload", {"status": 200, "body": b"no"}, "the Hub's answer"),
    ("preupload", {"status": 200, "body": b'{"files": []}'}, "the Hub answers for 0 of "),
    ("preupload", {"status": 307, "headers": {"Location": "/elsewhere"}}, "redirects"),
    ("preupload", {"status": 413, "body": b'{"error": "too much"}'}, "answers 413 for 'owner/onnx-1': too much"),
    ("batch", {"status": 200, "body": b'{"objects": [{"error": {"code": 422, "message": "no room"}}]}'}, "no room"),
    ("batch", {"status": 200, "body": b'{"objects": [{"actions": {"upload": {"href": "http://10.1.2.3/x"}}}]}'},
     "wants an upload to '10.1.2.3' without https"),
    ("batch", {"status": 200, "body": b'{"objects": [{"actions": {"upload": {"href": "https://10.1.2.3/x"}}}]}'},
     "'10.1.2.3' is not a public address"),
    ("batch", {"status": 200, "body": b'{"objects": [{"actions": {"upload": {"href": "/x", "header": {"chunk_size": "0"}}}}]}'},
     "parts of an unknown size"),
    ("verify", {"status": 404}, "has no repository"),
    ("commit", {"drop": 100}, "the commit: '127.0.0.1' does not answer, or broke off"),
])
def test_a_hub_that_refuses(hub, artifact, pattern, fault, words):
    hub.add(REPO, {})
    hub.fault(pattern, **fault)
    done = push(hub, artifact)

    assert done.returncode == E_HUB and words in done.stderr, done.stderr
    assert done.stdout == "" and hub.repos[REPO].summaries == []


def test_who_may_not_write(hub, artifact):
    hub.add(REPO, {})
    hub.tokens.add("hf_reader")
    hub.readers.add("hf_reader")
    for token, words in (("hf_reader", "does not let the token given write to 'owner/onnx-1': You need a token"),
                         ("hf_nobody", "does not accept the token given"), ("", "a push needs a token")):
        done = push(hub, artifact, HF_TOKEN=token)
        assert done.returncode == E_HUB and words in done.stderr
    assert hub.repos[REPO].summaries == []


def test_a_repository_that_is_not_there(hub, artifact):
    done = push(hub, artifact)

    assert done.returncode == E_HUB and "--create makes it" in done.stderr


def test_offline(hub, artifact):
    done = push(hub, artifact, HF_HUB_OFFLINE="1")

    assert done.returncode == E_HUB and "HF_HUB_OFFLINE" in done.stderr and hub.requests == []


def test_what_is_not_pushed(hub, artifact, tmp_path):
    """Nothing is asked of the Hub for these."""
    assert "is not the name of a repository" in push(hub, artifact, repo="onnx").stderr
    assert "--private needs --create" in push(hub, artifact, "--private").stderr
    assert "it is not an artifact" in push(hub, tmp_path).stderr
    (artifact / "config.json").write_text("{}")
    done = push(hub, artifact)
    assert done.returncode == E_MISMATCH and "'config.json' has changed" in done.stderr
    assert hub.requests == []


def test_files_of_git_stay(hub, artifact):
    (artifact / ".git").mkdir()
    (artifact / ".git/config").write_text("secret")
    (artifact / "model.sig").write_text("signed")
    assert push(hub, artifact, "--create").returncode == 0

    assert "model.sig" in pushed(hub) and ".git/config" not in pushed(hub)


def test_a_file_that_the_repository_ignores(hub, artifact):
    (artifact / "a.ignored").write_text("x")
    done = push(hub, artifact, "--create")

    assert done.returncode != 0 and "'a.ignored' is ignored by the .gitignore of 'owner/onnx-1'" in done.stderr
    assert hub.repos[REPO].summaries == []
