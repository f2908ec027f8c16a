"""Checkpoints by repository id, against a hub that misbehaves: by tests/tools/hubget, which is a worker's first stage and
nothing more, and where the rest matters by `colconvctl convert`."""
import fcntl
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import time

import pytest
from conftest import Events
from fake_hub import SIGNATURE, FakeHub

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", TOP))
SHARDED = TOP / "tests/golden/colqwen2-tiny-bf16-sharded"
CHECKPOINT = {p.name: p.read_bytes() for p in SHARDED.iterdir() if not p.name.startswith("case-")}
CHECKPOINT["tokenizer.json"] = b'{"version": "1.0", "model": {}}'
EXTRA = {"words.md": b"# words", "pytorch_model.bin": b"\x80\x02pickle", "onnx.tar": b"x" * 100}
SHARD = "model-00002-of-00003.safetensors"
REPO = "owner/Model-1.0_x"
FOLDER = "models--owner--Model-1.0_x"
TOKEN = "hf_aTokenThatNobodySeesHere"
VARIABLES = ("HF_", "HUGGINGFACE", "COLCONV_HUB", "SSL_CERT", "CREDENTIALS_DIRECTORY", "HTTP", "http", "ALL_", "all_")


@pytest.fixture
def hub():
    h = FakeHub()
    h.add(REPO, {**CHECKPOINT, **EXTRA}, revisions=("main", "v1.0", "refs/pr/1"))
    yield h
    h.close()


class Box:
    """A user of the hub: a cache and the environment variables."""

    def __init__(self, hub, folder):
        self.hub, self.folder, self.n = hub, folder, 0
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(VARIABLES)}
        self.env.update(HF_ENDPOINT=hub.url, HF_HOME=str(folder / "home"), COLCONV_HUB_RETRY_MS="1",
                        HF_HUB_DOWNLOAD_TIMEOUT="2")
        self.cache = folder / "home/hub"
        self.repo = self.cache / FOLDER

    def start(self, model=REPO, *args, **env):
        self.n += 1
        self.out = self.folder / f"out{self.n}"
        return subprocess.Popen([BUILD / "colconvctl", "convert", model, "-o", self.out, "--no-parity", *args],
                                env={**self.env, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def convert(self, model=REPO, *args, **env):
        child = self.start(model, *args, **env)
        out, err = child.communicate(timeout=60)
        return subprocess.CompletedProcess(child.args, child.returncode, out, err)

    def start_get(self, repo=REPO, *revision, **env):
        return subprocess.Popen([BUILD / "tests/tools/hubget", repo, *revision], env={**self.env, **env},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def good(self, *args, **env):
        """Fetches and returns the snapshot's folder."""
        child = self.start_get(*args, **env)
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        return pathlib.Path(out.rstrip("\n"))

    def bad(self, reason, *args, **env):
        """Checks that it fails for that reason; returns the message."""
        child = self.start_get(*args, **env)
        out, err = child.communicate(timeout=60)
        assert child.returncode not in (0, 1) and out == "", err
        assert f"({reason})" in err
        return err

    def blobs(self):
        return {p.name: p for p in (self.repo / "blobs").iterdir()}

    def part(self, name):
        return self.repo / "blobs" / (self.hub.repos[REPO].files[name].etag + ".incomplete")


@pytest.fixture
def box(hub, tmp_path):
    return Box(hub, tmp_path)


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def cdn(hub, name):
    """Matches the request for the bytes of that file."""
    f = hub.repos[REPO].files[name]
    return f"/cdn/{f.sha256}" if f.lfs else f"/resolve-cache/.*/{name}"


def check_all_was_served_once(hub, but=()):
    """Checks that each needed file was sent exactly once, and no other file."""
    for f in hub.repos[REPO].files.values():
        want = len(f.data) if f.name in CHECKPOINT else 0
        if f.name not in but:
            assert hub.bytes_of(cdn(hub, f.name).split("*/")[-1]) == want, f.name


# Fetching


def test_the_cache_has_the_layout_of_the_hubs_own_client(hub, box):
    done = box.convert()

    assert done.returncode == 0, done.stderr
    commit = hub.repos[REPO].commit
    files = {f.name: f for f in hub.repos[REPO].files.values() if f.name in CHECKPOINT}
    snapshot = box.repo / "snapshots" / commit
    assert (box.repo / "refs/main").read_text() == commit
    assert {p.name for p in snapshot.iterdir()} == set(files)
    assert set(box.blobs()) == {f.etag for f in files.values()}
    for f in files.values():
        assert os.readlink(snapshot / f.name) == f"../../blobs/{f.etag}"
        assert (snapshot / f.name).read_bytes() == f.data
    assert {p.name for p in (box.cache / ".locks" / FOLDER).iterdir()} == {f.etag + ".lock" for f in files.values()}
    assert (box.out / "tokenizer.json").read_bytes() == CHECKPOINT["tokenizer.json"]
    check_all_was_served_once(hub)


def test_the_manifest_says_where_it_came_from(hub, box):
    done = box.convert(REPO, "--revision", "refs/pr/1")

    assert done.returncode == 0, done.stderr
    source = json.loads((box.out / "manifest.json").read_text())["additional_metadata"]["source"]
    assert (source["repo"], source["revision"]) == (REPO, "refs/pr/1")
    assert source["commit"] == hub.repos[REPO].commit
    assert {f["name"]: (f["size"], f["etag"]) for f in source["files"]} == {
        f.name: (len(f.data), f.etag) for f in hub.repos[REPO].files.values() if f.name in CHECKPOINT}
    assert (box.repo / "refs/refs/pr/1").read_text() == source["commit"]
    assert "/home/" not in json.dumps(source)


def test_the_second_time_nothing_is_fetched(hub, box):
    first = box.good()
    hub.served.clear()

    assert box.good() == first
    assert hub.served == []


def test_a_commit_needs_no_ref(hub, box):
    box.good(REPO, hub.repos[REPO].commit)

    assert not (box.repo / "refs").exists()


def test_one_file_is_preferred_to_shards(hub, box):
    golden = TOP / "tests/golden/colqwen2-tiny"
    hub.add(REPO, {"config.json": (golden / "config.json").read_bytes(), **EXTRA, SHARD: b"not read",
                   "model.safetensors": (golden / "model.safetensors").read_bytes(),
                   "model.safetensors.index.json": CHECKPOINT["model.safetensors.index.json"]})

    assert {p.name for p in box.good().iterdir()} == {"config.json", "model.safetensors"}


def test_adapters_are_fetched_with_their_config(hub, box):
    hub.add(REPO, {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x", **EXTRA})

    assert {p.name for p in box.good().iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}


def test_a_model_with_adapters_for_tasks(hub, box):
    """They lie in a folder of the repository, whose files link to the blobs like all others."""
    golden = TOP / "tests/golden/jina_v4-tiny"
    hub.add("tiny/tasks", {str(p.relative_to(golden)): p.read_bytes() for p in golden.rglob("*")
                           if p.is_file() and not p.name.startswith("case-")})

    done = box.convert("tiny/tasks", "--task", "code")

    assert done.returncode == 0, done.stderr
    source = json.loads((box.out / "manifest.json").read_text())["additional_metadata"]["source"]
    assert source["repo"] == "tiny/tasks" and "base" not in source
    assert [w["name"] for w in source["weights"]][-1] == "adapter_model.safetensors"
    assert {"adapters/adapter_config.json", "adapters/adapter_model.safetensors"} <= {f["name"] for f in source["files"]}
    (link,) = (box.cache / "models--tiny--tasks/snapshots").glob("*/adapters/adapter_config.json")
    assert os.readlink(link).startswith("../../../blobs/")
    done = box.convert("tiny/tasks", "--task", "retrieval", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr


def test_an_adapter_brings_its_base(hub, box):
    """The adapter names another repository as its base, like published adapters; the job may name a third one."""
    golden = TOP / "tests/golden"
    config = json.loads((golden / "colqwen2-tiny-lora/adapter_config.json").read_text())
    base = {name: (golden / "colqwen2-tiny" / name).read_bytes() for name in ("config.json", "model.safetensors")}
    weights = (golden / "colqwen2-tiny-lora/adapter_model.safetensors").read_bytes()
    for name in ("tiny/base", "tiny/other"):
        hub.add(name, base)
    hub.add("tiny/lora", {"adapter_config.json": json.dumps({**config, "base_model_name_or_path": "tiny/base"}).encode(),
                          "adapter_model.safetensors": weights})

    for args, want in (((), "tiny/base"), (("--base", "tiny/other"), "tiny/other")):
        done = box.convert("tiny/lora", *args)

        assert done.returncode == 0, done.stderr
        source = json.loads((box.out / "manifest.json").read_text())["additional_metadata"]["source"]
        assert (source["repo"], source["base"]["repo"]) == ("tiny/lora", want)
        assert source["base"]["commit"] == hub.repos[want].commit
        assert [w["name"] for w in source["base"]["weights"]] == ["model.safetensors"]


@pytest.mark.parametrize("base", [str(TOP / "tests/golden/colqwen2-tiny"), "../base"])
def test_an_adapter_of_the_hub_chooses_no_folder_of_this_host(hub, box, base):
    golden = TOP / "tests/golden/colqwen2-tiny-lora"
    config = {**json.loads((golden / "adapter_config.json").read_text()), "base_model_name_or_path": base}
    hub.add(REPO, {"adapter_config.json": json.dumps(config).encode(),
                   "adapter_model.safetensors": (golden / "adapter_model.safetensors").read_bytes()})

    done = box.convert()

    assert done.returncode == 5
    assert "(bad_checkpoint)" in done.stderr and "does not name a Hub repository as its base" in done.stderr


def test_a_base_that_cannot_be_fetched_is_called_the_base(hub, box, tmp_path):
    folder = tmp_path / "lora"
    shutil.copytree(TOP / "tests/golden/colqwen2-tiny-lora", folder)
    config = folder / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": "tiny/nowhere"}))

    done = box.convert(folder)

    assert done.returncode != 0
    assert "'tiny/nowhere', the base of the adapter" in done.stderr and "--base DIR" in done.stderr


def test_an_adapter_in_a_subfolder_of_a_repository_is_named(hub, box):
    hub.add(REPO, {"README.md": b"x", "task/adapter_config.json": b"{}", "task/adapter_model.safetensors": b"x"})

    words = box.bad("bad_checkpoint")

    assert "'task/adapter_model.safetensors'" in words and "give that folder" in words


def test_pickles_are_never_fetched(hub, box):
    hub.add(REPO, {"config.json": CHECKPOINT["config.json"], **EXTRA})

    words = box.bad("bad_checkpoint")

    assert "pytorch_model.bin" in words and "pickled" in words
    assert hub.served == []


def test_a_shard_that_is_not_there_is_named(hub, box):
    hub.add(REPO, {k: v for k, v in CHECKPOINT.items() if k != SHARD})

    assert SHARD in box.bad("bad_checkpoint")


def test_a_folder_of_that_name_is_preferred(hub, box, tmp_path):
    shutil.copytree(SHARDED, tmp_path / "owner/Model-1.0_x")

    done = subprocess.run([BUILD / "colconvctl", "convert", REPO, "-o", "out", "--no-parity"], cwd=tmp_path, env=box.env,
                          capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert hub.requests == []


@pytest.mark.parametrize("model", ["owner/", "owner/a/b", "owner/..", "./owner", "owner/na me", "owner/a--b", "owner/x.git"])
def test_what_is_no_id_is_refused_here(hub, box, model):
    done = box.convert(model)

    assert done.returncode == 2, done.stderr
    assert hub.requests == []


def test_a_revision_is_of_a_repository(hub, box):
    assert "revision" in box.convert(SHARDED, "--revision", "main").stderr
    assert "revision" in box.convert(REPO, "--revision", "../main").stderr
    assert hub.requests == []


def test_files_with_the_same_content_are_one_blob(hub, box):
    same = ["added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"]
    hub.add(REPO, {**CHECKPOINT, **{name: b"{}\n" for name in same}})

    snapshot = box.good()

    assert {os.readlink(snapshot / name) for name in same} == {f"../../blobs/{hub.repos[REPO].files[same[0]].etag}"}
    assert sum(hub.bytes_of(name) for name in same) == 3


# Misbehaviour that a retry gets over


def test_what_was_cut_is_gone_on_with(hub, box):
    size = len(CHECKPOINT[SHARD])
    hub.fault(cdn(hub, SHARD), cut=size // 3)
    hub.fault(cdn(hub, SHARD), cut=size // 2)
    hub.fault(cdn(hub, "config.json"), cut=10)

    box.good()

    starts = [start for path, start, to in hub.served if cdn(hub, SHARD) in path]
    assert starts == [0, size // 3, size // 2]
    check_all_was_served_once(hub)


def test_silence_is_not_waited_for(hub, box):
    hub.fault(cdn(hub, SHARD), stall=1000, seconds=10)

    box.good(HF_HUB_DOWNLOAD_TIMEOUT="1")

    check_all_was_served_once(hub)


def test_a_trickle_ends(hub, box):
    """It sends bytes every second, but would take two hours."""
    hub.fault(cdn(hub, SHARD), times=99, trickle=True)

    said = box.bad("hub_unreachable", HF_HUB_DOWNLOAD_TIMEOUT="1")

    assert SHARD in said and "6 tries" in said and "fewer than 1024 bytes a second" in said


def test_a_listing_that_trickles_ends(hub, box):
    hub.fault("/api/models/", times=99, trickled=True)

    said = box.bad("hub_unreachable", HF_HUB_DOWNLOAD_TIMEOUT="1")

    assert "fewer than 1024 bytes a second" in said


def test_a_trickle_that_gets_better(hub, box):
    hub.fault(cdn(hub, SHARD), trickle=True)

    box.good(HF_HUB_DOWNLOAD_TIMEOUT="1")

    assert [start > 0 for path, start, to in hub.served if cdn(hub, SHARD) in path] == [True]


@pytest.mark.parametrize("body, words", [
    (b"[" + b"0," * 4000000 + b"0]", "more than 524288 values"),
    (b'{"a": "' + b"x" * (17 << 20) + b'"}', "longer than 16777216 bytes"),
], ids=["values", "bytes"])
def test_a_listing_that_is_too_large(hub, box, body, words):
    """The parsed listing would take a hundred times its size in memory."""
    hub.fault("/api/models/", status=200, body=body)

    child = subprocess.run(["prlimit", f"--data={100 << 20}", BUILD / "tests/tools/hubget", REPO], env=box.env, text=True,
                           capture_output=True, timeout=60)

    assert child.returncode not in (0, 1) and words in child.stderr


@pytest.mark.parametrize("status", [408, 500, 503])
def test_errors_of_servers_are_tried_again(hub, box, status):
    hub.fault("/api/models/", times=2, status=status)
    hub.fault(r"/resolve/.*config.json", status=status)
    hub.fault(cdn(hub, SHARD), times=3, status=status)

    box.good()

    check_all_was_served_once(hub)


def test_retry_after_is_waited_for(hub, box):
    hub.fault("/api/models/", status=429, headers={"Retry-After": "1"})
    begin = time.monotonic()

    box.good()

    assert time.monotonic() - begin >= 1


def test_a_wrong_hash_is_fetched_again(hub, box):
    hub.fault(cdn(hub, SHARD), flip=5000)
    hub.fault(cdn(hub, "config.json"), flip=10)

    box.good()

    check_all_was_served_once(hub, but=(SHARD, "config.json"))
    assert hub.bytes_of(cdn(hub, SHARD)) == 2 * len(CHECKPOINT[SHARD])


@pytest.mark.parametrize("length", [-100, 100])
def test_a_wrong_length_is_fetched_again(hub, box, length):
    hub.fault(cdn(hub, SHARD), length=length)

    box.good()


@pytest.mark.parametrize("how", ["no_range", "other_range"])
def test_a_server_that_does_not_do_ranges(hub, box, how):
    hub.fault(cdn(hub, SHARD), cut=1000)
    hub.fault(cdn(hub, SHARD), **{how: True})

    box.good()


def test_an_address_that_expired_is_asked_for_again(hub, box):
    """The CDN answers 403 when its signature has expired. (Here the CDN is the hub itself, whose 403 would count.)"""
    hub.fault(cdn(hub, SHARD), cut=1000)
    hub.fault(cdn(hub, SHARD), status=503)

    box.good()

    asked = [path for _, path, _, _ in hub.requests if path.endswith("/" + SHARD)]
    assert len(asked) == 3
    check_all_was_served_once(hub)


# Misbehaviour that stays


@pytest.mark.parametrize("where, fault, reason, words", [
    ("config.json", {"flip": 10}, "mismatch", ["config.json", "hash", "3 tries"]),
    (SHARD, {"length": 100}, "mismatch", [SHARD, "bytes", "published"]),
    (SHARD, {"length": -100}, "mismatch", [SHARD, "bytes", "published"]),
    (SHARD, {"cut": 1}, "hub_unreachable", [SHARD, "6 tries", "127.0.0.1"]),
    (SHARD, {"status": 500}, "hub_unreachable", [SHARD, "500"]),
    (SHARD, {"status": 429}, "hub_rate_limited", [SHARD, "fewer requests"]),
])
def test_what_does_not_get_better_fails(hub, box, where, fault, reason, words):
    hub.fault(cdn(hub, where), times=99, **fault)

    said = box.bad(reason)

    for w in words:
        assert w in said
    assert SIGNATURE not in said
    hub.faults.clear()
    hub.served.clear()
    done = {f.name for f in hub.repos[REPO].files.values() if f.etag in box.blobs()}
    box.good()
    assert not [p for p, _, _ in hub.served if any(cdn(hub, name) in p for name in done)]


def test_a_server_that_asks_for_an_hour_is_not_waited_for(hub, box):
    hub.fault("/api/models/", times=99, status=429, headers={"Retry-After": "3600"})

    assert "3600 s" in box.bad("hub_rate_limited")
    assert len(hub.requests) == 1


@pytest.mark.parametrize("body", [b"<html>sign in to the network</html>", b"[]", b"{}", b'{"sha": "main", "siblings": []}'])
def test_what_is_no_hub_is_told(hub, box, body):
    hub.fault("/api/models/", status=200, body=body)

    box.bad("hub_protocol")


def test_a_hub_that_is_not_there(hub, box):
    assert "127.0.0.1" in box.bad("hub_unreachable", HF_ENDPOINT="http://127.0.0.1:9")


def test_missing(hub, box):
    assert "'owner/none'" in box.bad("hub_not_found", "owner/none")
    hub.tokens.add(TOKEN)
    assert "'owner/none'" in box.bad("hub_not_found", "owner/none", HF_TOKEN=TOKEN)
    assert "no revision 'v9'" in box.bad("hub_not_found", REPO, "v9")


def test_the_reason_of_a_job(hub, box):
    hub.fault(cdn(hub, SHARD), times=99, status=500)

    done = box.convert()

    assert done.returncode == 5
    assert f"the conversion failed (hub_unreachable): '{SHARD}' of '{REPO}': after 6 tries" in done.stderr
    assert not box.out.exists()


def test_renamed(hub, box):
    hub.repos["new/name"] = hub.repos.pop(REPO)
    hub.renamed[REPO] = "new/name"

    done = box.convert()

    assert done.returncode == 0, done.stderr
    assert "'owner/Model-1.0_x' is now called 'new/name'" in done.stderr
    source = json.loads((box.out / "manifest.json").read_text())["additional_metadata"]["source"]
    assert (source["repo"], source["repo_today"]) == (REPO, "new/name")
    assert (box.repo / "refs/main").exists()


# Tokens


def test_gated(hub, box):
    repo = hub.add(REPO, CHECKPOINT, token=TOKEN, gated=True)
    hub.tokens.update({TOKEN, "hf_other"})

    said = box.bad("hub_gated")
    assert "accept its terms" in said and "HF_TOKEN" in said and f"{hub.url}/{REPO}" in said
    said = box.bad("hub_gated", HF_TOKEN="hf_other")
    assert "accept its terms" in said and "hf_other" not in said
    assert set(box.blobs()) & {f.etag for f in repo.files.values()} == set()
    box.good(HF_TOKEN=TOKEN)


def test_a_token_that_is_not_valid(hub, box):
    assert "does not accept the token" in box.bad("hub_denied", HF_TOKEN="hf_old")


@pytest.mark.parametrize("how", ["HF_TOKEN", "HF_TOKEN_PATH", "CREDENTIALS_DIRECTORY", "HF_HOME"])
def test_the_token_comes_from_anywhere_and_goes_nowhere(hub, box, tmp_path, how):
    hub.add(REPO, CHECKPOINT, token=TOKEN)
    hub.tokens.add(TOKEN)
    (tmp_path / "hf_token").write_text(TOKEN + "\n")
    (tmp_path / "home").mkdir()
    value = {"HF_TOKEN": TOKEN, "HF_TOKEN_PATH": str(tmp_path / "hf_token"), "CREDENTIALS_DIRECTORY": str(tmp_path)}
    if how == "HF_HOME":
        (tmp_path / "home/token").write_text(TOKEN)
    hub.fault(cdn(hub, SHARD), times=2, status=500)

    child = box.start_get(**({how: value[how]} if how in value else {}))

    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    check_nobody_sees_the_token(hub, box.cache, out + err)


def check_nobody_sees_the_token(hub, folder, said):
    said += "".join(path for _, path, _, _ in hub.requests)
    for p in folder.rglob("*"):
        said += str(p) + (p.read_bytes().decode("latin1") if p.is_file() else "")
    assert TOKEN not in said


def test_the_token_is_not_in_an_artifact(hub, box):
    hub.add(REPO, CHECKPOINT, token=TOKEN)
    hub.tokens.add(TOKEN)

    done = box.convert(REPO, "--log", HF_TOKEN=TOKEN)

    assert done.returncode == 0, done.stderr
    check_nobody_sees_the_token(hub, box.out, done.stdout + done.stderr)


def test_what_is_no_token_is_not_shown(hub, box):
    said = box.bad("bad_config", HF_TOKEN="hf_a\r\nX-Injected: 1")

    assert "HF_TOKEN" in said and "hf_a" not in said and "Injected" not in said
    assert hub.requests == []


# Redirects and addresses


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make a certificate with")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return folder


@pytest.fixture
def tls_cdn(hub, certificate):
    """A CDN of another name and scheme, with the hub's files."""
    h = FakeHub(certificate / "cert.pem", certificate / "key.pem")
    h.repos = hub.repos
    hub.cdn = f"https://localhost:{h.port}"
    yield h
    h.close()


def test_another_host_does_not_get_the_token(hub, box, tls_cdn, certificate):
    hub.add(REPO, CHECKPOINT, token=TOKEN)
    hub.tokens.add(TOKEN)
    tls_cdn.fault(cdn(hub, SHARD), status=403) # an address that expired

    box.good(HF_TOKEN=TOKEN, SSL_CERT_FILE=str(certificate / "cert.pem"), COLCONV_HUB_PRIVATE_HOSTS="x.example,localhost")

    assert all(headers.get("Authorization") == f"Bearer {TOKEN}" for _, _, headers, _ in hub.requests)
    assert tls_cdn.requests and not any("Authorization" in headers for _, _, headers, _ in tls_cdn.requests)
    assert len([p for _, p, _, _ in hub.requests if p.endswith(SHARD)]) == 2


def test_a_private_address_is_refused(hub, box, tls_cdn, certificate):
    said = box.bad("hub_protocol", SSL_CERT_FILE=str(certificate / "cert.pem"))

    assert "'localhost' has no public address" in said
    assert tls_cdn.requests == []


def test_a_certificate_that_is_not_trusted(hub, box, tls_cdn):
    assert "certificate of 'localhost'" in box.bad("hub_unreachable", COLCONV_HUB_PRIVATE_HOSTS="localhost")


@pytest.mark.parametrize("location, words", [
    ("http://169.254.169.254/latest/meta-data", ["http://169.254.169.254", "only https"]),
    ("https://169.254.169.254/latest/meta-data", ["'169.254.169.254' is not a public address"]),
    ("https://[::1]/x", ["'::1' is not a public address"]),
    ("https://0x7f.2/x", ["'127.0.0.2' is not a public address"]),
    ("http://huggingface.co/x", ["http://huggingface.co", "only https"]),
    ("file:///etc/passwd", ["redirects"]),
    ("https://user:secret@localhost/x", ["redirects"]),
    ("//127.0.0.1:1/x", ["only https"]),
])
def test_redirects_that_are_not_followed(hub, box, location, words):
    hub.fault(r"/resolve/", times=99, status=302, headers={"Location": location})

    said = box.bad("hub_protocol", HF_TOKEN="")

    for w in words:
        assert w in said
    assert "secret" not in said and "meta-data" not in said
    assert hub.served == []


def test_a_loop_of_redirects_ends(hub, box):
    hub.fault(r"/resolve/.*config.json", times=99, status=302, headers={"Location": "?again"})

    assert "more than 5 redirects" in box.bad("hub_protocol")


def test_a_proxy_may_be_at_a_private_address(hub, box):
    """The fake hub is not a proxy, but it receives what a proxy would."""
    box.bad("hub_unreachable", HF_ENDPOINT="https://hub.example", https_proxy=hub.url, HF_TOKEN=TOKEN)

    assert {(m, path) for m, path, _, _ in hub.requests} == {("CONNECT", "hub.example:443")}
    assert not any("Authorization" in headers for _, _, headers, _ in hub.requests)


# Offline


def test_offline_the_cache_is_enough(hub, box):
    box.good()
    hub.requests.clear()

    box.good(HF_HUB_OFFLINE="1")
    box.good(REPO, hub.repos[REPO].commit, HF_HUB_OFFLINE="1")

    assert hub.requests == []


def test_offline_what_is_missing_is_told(hub, box):
    assert "HF_HUB_OFFLINE" in box.bad("hub_offline", HF_HUB_OFFLINE="1")
    box.good()
    snapshot = box.repo / "snapshots" / hub.repos[REPO].commit
    (snapshot / SHARD).unlink()
    assert SHARD in box.bad("hub_offline", HF_HUB_OFFLINE="1")
    assert "v1.0" in box.bad("hub_offline", REPO, "v1.0", HF_HUB_OFFLINE="1")


def test_a_damaged_blob_is_found(hub, box):
    box.good()
    blob = box.repo / "blobs" / hub.repos[REPO].files[SHARD].etag
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    hub.served.clear()

    assert SHARD in box.bad("mismatch", HF_HUB_OFFLINE="1")
    box.good()

    assert [path.split("?")[0] for path, _, _ in hub.served] == [cdn(hub, SHARD)]
    assert blob.read_bytes() == CHECKPOINT[SHARD]


# Two at once, and the end of one


def held(hub, box, name, n):
    """A download that stopped after `n` bytes of that file and has all other files; no other transfer runs."""
    hub.fault(cdn(hub, name), hold=n)
    child = box.start_get(HF_HUB_DOWNLOAD_TIMEOUT="30")
    others = {f.etag for f in hub.repos[REPO].files.values() if f.name in CHECKPOINT and f.name != name}
    wait_until(lambda: box.part(name).exists() and box.part(name).stat().st_size == n and others <= set(box.blobs()))
    return child


def test_killed_in_the_middle_and_gone_on_with(hub, box):
    first = held(hub, box, SHARD, 3000)
    first.kill()
    first.communicate(timeout=20)
    assert box.part(SHARD).stat().st_size == 3000
    hub.served[:] = [s for s in hub.served if cdn(hub, SHARD) not in s[0]]

    box.good()

    assert [s[1:] for s in hub.served if cdn(hub, SHARD) in s[0]] == [(3000, len(CHECKPOINT[SHARD]))]
    check_all_was_served_once(hub, but=(SHARD,))
    assert not [name for name in box.blobs() if name.endswith(".incomplete")]


def test_what_an_earlier_process_left_is_not_believed(hub, box):
    (box.repo / "blobs").mkdir(parents=True)
    box.part(SHARD).write_bytes(b"z" * 3000)
    box.part("config.json").write_bytes(b"z" * (len(CHECKPOINT["config.json"]) + 1))

    box.good()

    assert [s[1] for s in hub.served if cdn(hub, SHARD) in s[0]] == [3000, 0]


def lock_of(box, hub, name):
    path = box.cache / ".locks" / FOLDER / (hub.repos[REPO].files[name].etag + ".lock")
    path.parent.mkdir(parents=True)
    lock = open(path, "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def test_a_lock_that_nobody_works_under(hub, box):
    with lock_of(box, hub, SHARD) as lock:
        said = box.bad("hub_unreachable", COLCONV_HUB_LOCK_TIMEOUT="1")

    assert f"another process holds the lock '{lock.name}'" in said and "COLCONV_HUB_LOCK_TIMEOUT" in said


def test_a_lock_under_which_bytes_arrive_is_waited_for(hub, box):
    with lock_of(box, hub, SHARD):
        (box.repo / "blobs").mkdir(parents=True)
        child = box.start_get(COLCONV_HUB_LOCK_TIMEOUT="2")
        for i in range(12):     # for longer than the lock's time limit
            with open(box.part(SHARD), "ab") as part:
                part.write(CHECKPOINT[SHARD][100 * i:100 * i + 100])
            time.sleep(0.25)
        assert child.poll() is None

    out, err = child.communicate(timeout=20)
    assert child.returncode == 0, err
    assert [start for path, start, to in hub.served if cdn(hub, SHARD) in path] == [1200]


def job_frame(out):
    """A Job of worker.proto."""
    def varint(n):
        return bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])

    def field(number, value):
        return varint(number << 3 | 2) + varint(len(value)) + value.encode()

    spec = {"model": REPO, "variants": ["text"], "parity": False}
    body = field(1, "nonce") + field(3, str(out)) + field(19, json.dumps(spec))
    return struct.pack("<I", len(body)) + body


def test_two_at_once_share_one_download(hub, box, tmp_path):
    first = held(hub, box, SHARD, 3000)
    (tmp_path / "second").mkdir()
    second = subprocess.Popen([BUILD / "colconv-worker"], env=box.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    second.stdin.write(job_frame(tmp_path / "second"))
    second.stdin.close()
    heard = b""
    while b"by another process" not in heard: # it says why it waits
        data = os.read(second.stdout.fileno(), 65536)
        assert data, second.stderr.read()
        heard += data
    hub.released.set()

    assert second.stdout.read() and second.wait(timeout=60) == 0
    second.stdout.close()
    second.stderr.close()
    assert first.wait(timeout=60) == 0, first.stderr.read()
    first.communicate()
    check_all_was_served_once(hub)
    assert (tmp_path / "second/text.onnx").exists()
    assert re.search(rb"\x12.*bytes", heard, re.S)


def test_many_at_once(hub, box, tmp_path):
    boxes = [Box(hub, tmp_path) for _ in range(6)]
    said = [child.communicate(timeout=60) for child in [b.start_get() for b in boxes]]

    assert [out for out, _ in said] == [said[0][0]] * 6 and said[0][0] != "", said
    check_all_was_served_once(hub)


# Through the daemon


def test_jobs_of_the_daemon(hub, box, stopped, monkeypatch, tmp_path):
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    hub.fault(cdn(hub, SHARD), cut=1000)
    stopped.start("--worker", str(BUILD / "colconv-worker"), "--roots", str(tmp_path))

    job = stopped.post("/v1/jobs", {"model": REPO, "revision": "v1.0", "parity": False}).json["id"]
    missing = stopped.post("/v1/jobs", {"model": "owner/none"}).json["id"]
    progress = [data for name, data, _ in Events(stopped, job) if name == "progress" and data["stage"] == "resolve"]

    end = stopped.job(job)
    assert (end["state"], end["spec"]["revision"]) == ("done", "v1.0"), end
    total = sum(len(data) for data in CHECKPOINT.values())
    assert progress and (progress[-1]["done"], progress[-1]["total"], progress[-1]["unit"]) == (total, total, "bytes")
    end = stopped.wait_end(missing)
    assert (end["state"], end["reason"], end["attempt"]) == ("failed", "hub_not_found", 1)
    assert "'owner/none'" in end["message"]
    answer = stopped.post("/v1/jobs", {"model": REPO, "revision": "a..b"})
    assert (answer.status, answer.json["field"]) == (400, "revision")
