"""All source files must stay unchanged: checkpoints that change in every stage, and files that are truncated while the worker reads them."""
import hashlib
import json
import os
import select
import shutil
import subprocess

import pytest

from conftest import BUILD, TOP
from raw_worker import Worker

GOLDEN = TOP / "tests/golden/colqwen2-tiny"
LORA = TOP / "tests/golden/colqwen2-tiny-lora"
STAGES = ["trace", "export", "reference", "parity"]


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(GOLDEN, folder)
    (folder / "vocab.json").write_text('{"a": 0}')
    return folder


def spec_of(folder, **more):
    """The spec as the daemon writes it, with all defaults."""
    return {"model": str(folder), **more}


def start(folder, tmp_path, **more):
    out = tmp_path / "out"
    out.mkdir()
    return Worker(spec_of(folder, **more), out)


def flip(file, at=-1):
    """Overwrites one byte in place; size, name and even the times stay the same."""
    st = file.stat()
    with open(file, "r+b") as f:
        f.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 1]))
    os.utime(file, ns=(st.st_atime_ns, st.st_mtime_ns))


def replace(file):
    new = file.with_name("new")
    shutil.copy(file, new)
    new.rename(file)


def grow(file):
    with open(file, "ab") as f:
        f.write(b" ")


CHANGES = {"overwritten": flip, "replaced": replace, "grown": grow, "removed": lambda f: f.unlink(), "touched": lambda f: os.utime(f)}


def test_unchanged_it_is_converted(checkpoint, tmp_path):
    worker = start(checkpoint, tmp_path, reference=[str(checkpoint / "case-text-one.safetensors")])
    assert worker.end()[0] == "result"
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())["additional_metadata"]
    digest = hashlib.sha256((checkpoint / "model.safetensors").read_bytes()).hexdigest()
    assert manifest["source"]["weights"][0]["sha256"] == digest
    assert (tmp_path / "out/vocab.json").read_bytes() == b'{"a": 0}'


@pytest.mark.parametrize("stage, how", [("export", how) for how in CHANGES] + [(stage, "overwritten") for stage in STAGES if stage != "export"])
def test_weights_that_change(checkpoint, tmp_path, stage, how):
    worker = start(checkpoint, tmp_path)
    worker.wait_stage(stage)
    CHANGES[how](checkpoint / "model.safetensors")
    kind, reason, words = worker.end()
    assert (kind, reason) == ("failure", "source_changed"), words
    assert "model.safetensors" in words and "start again" in words


@pytest.mark.parametrize("name, how", [("vocab.json", how) for how in CHANGES] + [("config.json", "overwritten"), ("case-text-one.safetensors", "overwritten")])
def test_other_files_that_change(checkpoint, tmp_path, name, how):
    worker = start(checkpoint, tmp_path, reference=[str(checkpoint / "case-text-one.safetensors")])
    worker.wait_stage("export")
    CHANGES[how](checkpoint / name)
    kind, reason, words = worker.end()
    assert (kind, reason) == ("failure", "source_changed"), words
    assert name in words


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_that_changes(tmp_path, name):
    adapter = tmp_path / "adapter"
    shutil.copytree(LORA, adapter)
    worker = start(adapter, tmp_path, base=str(GOLDEN))
    worker.wait_stage("export")
    flip(adapter / name)
    kind, reason, words = worker.end()
    assert (kind, reason) == ("failure", "source_changed") and name in words, words


@pytest.mark.parametrize("stage", ["export", "reference"])
def test_weights_that_are_cut_under_the_worker(tmp_path, stage):
    """Reading beyond the new end raises SIGBUS. The worker reports it as a failure with the file's name, and is not killed by the signal."""
    folder = tmp_path / "checkpoint"
    subprocess.run([BUILD / "tests/tools/mkcheckpoint", "--arch", "colqwen2", "--size", "tiny",
                    "--set", "num_hidden_layers=20", "--set", "intermediate_size=2048", folder], check=True)
    worker = start(folder, tmp_path)
    worker.wait_stage(stage)
    os.truncate(folder / "model.safetensors", 4096)
    kind, reason, words = worker.end()
    assert (kind, reason) == ("failure", "source_changed"), words
    assert "model.safetensors" in words
    assert worker.process.returncode == 5


def test_more_files_than_the_soft_limit_of_descriptors():
    """A descriptor stays open for each file of weights."""
    worker = subprocess.run(["sh", "-c", f"ulimit -Sn 8; exec {BUILD}/colconv-worker --dump text {GOLDEN}-bf16-sharded"],
                            capture_output=True, text=True)
    assert worker.returncode == 0, worker.stderr


def test_a_worker_that_hangs_falls_silent(checkpoint, tmp_path):
    """Its main thread blocks forever, writing to a log that nobody reads. No other thread claims that it still works."""
    out = tmp_path / "out"
    out.mkdir()
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write_end, True)
    make_strange(checkpoint)
    worker = Worker(spec_of(checkpoint), out, stderr=write_end)
    os.close(write_end)
    kinds = []
    while select_readable(worker.read_fd, 8):
        message = worker.message()
        assert message, "it should hang"
        kinds.append(message[0])
        assert kinds.count("heartbeat") < 5, kinds
    assert "stage" in kinds and "result" not in kinds and "failure" not in kinds
    assert worker.process.poll() is None
    worker.process.kill()
    worker.process.wait()
    os.close(read_end)


def select_readable(fd, seconds):
    return select.select([fd], [], [], seconds)[0]


def make_strange(checkpoint):
    """Makes a checkpoint that gives a warning: it has more layers than config.json says."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    text = config.get("vlm_config", config).get("text_config", config)
    text["num_hidden_layers"] = text["num_hidden_layers"] - 1
    for key in ("layer_types",):
        if key in text:
            text[key] = text[key][:-1]
    path.write_text(json.dumps(config))


@pytest.mark.parametrize("name, link", [
    *(("vocab.json", link) for link in ("absolute", "relative", "chain", "environ", "content")),
    ("merges.txt", "absolute"), ("tokenizer.model", "content"), ("chat_template.jinja", "content"), ("chat_template.jinja", "chain"),
    ("preprocessor_config.json", "environ"), ("preprocessor_config.json", "content")])
def test_secrets_stay_where_they_are(checkpoint, tmp_path, name, link):
    """Tried with a tokens file: its content is not in the folder, the messages or the log."""
    secret = tmp_path / "tokens"
    secret.write_text("boss admin s3cret-0123456789abcdef\nci submit s3cret-fedcba9876543210\n")
    file = checkpoint / name
    file.unlink(missing_ok=True)
    if link == "content":
        file.write_bytes(secret.read_bytes())
    elif link == "environ":
        file.symlink_to("/proc/self/environ")
    elif link == "chain":
        (checkpoint / "second").symlink_to("../tokens")
        file.symlink_to("second")
    else:
        file.symlink_to(secret if link == "absolute" else "../tokens")
    out = tmp_path / "out"
    out.mkdir()
    with open(tmp_path / "log", "wb") as log:
        worker = Worker(spec_of(checkpoint, parity=False), out, stderr=log, SECRET="s3cret")
    kind, reason, words = worker.end()
    assert (kind, reason) == ("failure", "bad_checkpoint" if link == "content" else "not_allowed"), words
    assert name in words and "s3cret" not in words
    assert "s3cret" not in (tmp_path / "log").read_text()
    assert not any(b"s3cret" in p.read_bytes() for p in out.rglob("*") if p.is_file())
