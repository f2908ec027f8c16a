"""colconvctl and jobs: submit, list, show, change."""

import json
import os

import pytest
import stub as daemon
from ctl import EXPORT, ctl, environment, on_terminal, stub  # noqa: F401
from stub import FILES, event, job, past, state


def sent(stub):
    return json.loads(stub.asked("POST", "/v1/jobs")[-1][2])


def test_submit(stub, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to("model")
    (tmp_path / "a.safetensors").touch()
    r = ctl(stub, "submit", "link", "--variants", "text,image", "--dtype", "fp32", "--layout", "single", "--positions",
            "arange", "--reference", "a.safetensors", "--max-abs", "1e-3", "--min-cosine=0.9", "--seed", 7, "--label",
            "team=search", cwd=tmp_path)
    assert r.returncode == 0 and r.stdout == "42\n"
    assert sent(stub) == {
        "model": f"{tmp_path}/model", "variants": ["text", "image"], "dtype": "fp32", "layout": "single",
        "positions": "arange", "reference": [f"{tmp_path}/a.safetensors"],
        "parity": {"max_abs": 1e-3, "min_cosine": 0.9, "seed": 7}, "labels": {"team": "search"}}
    assert ctl(stub, "submit", "/on/another/machine", "--no-parity").returncode == 0
    assert sent(stub) == {"model": "/on/another/machine", "parity": False}


def test_submit_from_a_file(stub, tmp_path):
    (tmp_path / "job.json").write_text('{"model": "/m", "labels": {"a": "1"}, "parity": false}')
    assert ctl(stub, "submit", "-f", "job.json", "--label", "b=2", cwd=tmp_path).returncode == 0
    assert sent(stub) == {"model": "/m", "labels": {"a": "1", "b": "2"}, "parity": False}
    assert ctl(stub, "submit", "/n", "-f", "job.json", "--seed", 3, cwd=tmp_path).returncode == 0
    assert sent(stub) == {"model": "/n", "labels": {"a": "1"}, "parity": {"seed": 3}}
    (tmp_path / "job.json").write_text("[1]")
    r = ctl(stub, "submit", "-f", "job.json", cwd=tmp_path)
    assert r.returncode == 2 and "'job.json' is not a JSON object" in r.stderr


def test_submit_wait_and_fetch(stub, tmp_path):
    r = ctl(stub, "submit", "/", "--fetch", "out", cwd=tmp_path)
    assert r.returncode == 0 and r.stdout == "42\n"
    assert (tmp_path / "out" / "text.onnx").read_bytes() == FILES["text.onnx"]
    stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(
        event("job", job("failed", reason="trace", message="no")))
    r = ctl(stub, "submit", "/", "--fetch", "out2", cwd=tmp_path)
    assert r.returncode == 5 and not (tmp_path / "out2").exists()


def test_list(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [
        EXPORT, job("done", id=7, spec={"model": "/evil\x1b[2J"})], "next": None})
    r = ctl(stub, "list", "--state", "a&b", "--limit", 3)
    assert r.returncode == 0
    head, first, second = r.stdout.splitlines()
    assert head.split() == ["ID", "STATE", "DETAIL", "AGE", "GRAPHS", "DTYPE", "LABELS", "MODEL"]
    assert first.split()[:3] == ["42", "running", "export"] and first.endswith("/srv/models/colqwen2")
    assert second.endswith("/evil\\x1b[2J")
    assert stub.requests[-1][1] == "/v1/jobs?state=a%26b&limit=3"


def test_list_tells_jobs_apart(stub, tmp_path):
    (tmp_path / "models").mkdir()
    specs = [{**EXPORT["spec"], "model": model, "labels": labels} for model, labels in (
        (f"{tmp_path}/models/a", {"team": "search", "run": "3"}), (f"{tmp_path}er/b", {}), ("vidore/colqwen2-v1.0", {}))]
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [job("done", spec=s) for s in specs], "next": None})
    rows = [line.split()[-4:] for line in ctl(stub, "list", cwd=tmp_path).stdout.splitlines()[1:]]
    assert rows == [["text", "fp32", "team=search,run=3", "./models/a"], ["text", "fp32", "-", f"{tmp_path}er/b"],
                    ["text", "fp32", "-", "vidore/colqwen2-v1.0"]]
    assert ctl(stub, "list", cwd="/").stdout.splitlines()[1].endswith(f" {tmp_path}/models/a")


def test_show(stub):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job(
        "failed", reason="parity", message="case text-long\x1b", labels={},
        stages=[{"name": "export", "seconds": 12.5, "peak_anon_bytes": 9437184}],
        result={"architecture": "colqwen2", "graphs": [{"variant": "text", "file": "text.onnx", "nodes": 812}]}))
    r = ctl(stub, "show", 42)
    assert r.returncode == 0 and "\x1b" not in r.stdout
    rows = [line.split(None, 1) for line in r.stdout.splitlines() if line]
    for row in (["state", "failed"], ["reason", "parity"], ["message", "case text-long\\x1b"], ["attempt", "1 of 3"],
                ["model", "/srv/models/colqwen2"], ["variants", "text"], ["architecture", "colqwen2"]):
        assert row in rows
    assert any(line.split() == ["export", "12.50", "9.44", "MB"] for line in r.stdout.splitlines())
    assert any(line.split() == ["text", "text.onnx", "812"] for line in r.stdout.splitlines())


def test_cancel(stub):
    stub.routes["POST", "/v1/jobs/7/cancel"] = lambda h: h.answer(200, job("cancelled", id=7))
    r = ctl(stub, "cancel", 42, 7)
    assert r.returncode == 0 and r.stderr == "job 42 is asked to stop\njob 7 is cancelled\n"
    assert stub.asked("POST", "/v1/jobs/42/cancel")[0][2] == ""
    stub.routes["POST", "/v1/jobs/42/cancel"] = lambda h: h.problem(409, "conflict", "job 42 has ended")
    r = ctl(stub, "cancel", 42)
    assert r.returncode == 1 and "job 42 has ended" in r.stderr


def test_parity(stub, tmp_path):
    r = ctl(stub, "parity", 42)
    assert r.returncode == 10
    assert r.stdout.splitlines()[1].split() == ["text-short", "text", "24", "1.50e-06", "1.00e-07", "0.99999990", "0",
                                                "ok"]
    assert "text-long (text): the graph does not run\\x1b[31m" in r.stdout
    assert "ranking by text: 4 queries, 3 documents, largest score change 2.00e-06, order kept" in r.stdout
    (tmp_path / "parity.json").write_text(json.dumps({**daemon.PARITY, "passed": True}))
    assert ctl(None, "parity", tmp_path / "parity.json").returncode == 0
    r = ctl(None, "parity", tmp_path / "none.json")
    assert r.returncode == 2 and "cannot open" in r.stderr
    stub.routes["GET", "/v1/jobs/42/parity"] = lambda h: h.problem(404, "not_found", "job 42 has no parity report")
    assert ctl(stub, "parity", 42).returncode == 3


# Files of jobs, keys, answers that are lost

def test_submit_takes_a_file_from_stdin(stub):
    assert ctl(stub, "submit", "-f", "-", stdin='{"model": "/m", "priority": 7}').returncode == 0
    assert sent(stub) == {"model": "/m", "priority": 7}
    r = ctl(stub, "submit", "-f", "-", stdin='{"model": ')
    assert r.returncode == 2 and "the standard input" in r.stderr
    r = ctl(stub, "submit", "-f", "-", stdin=" " * (2 << 20))
    assert r.returncode == 2 and "the standard input is longer than 1048576 bytes" in r.stderr


def test_submit_with_a_turn(stub):
    assert ctl(stub, "submit", "/m", "--priority", "-5", "--job-timeout", "2h", "--attempts", 1, "--max-abs", 0,
               "--min-cosine", "-0.25").returncode == 0
    assert sent(stub) == {"model": "/m", "priority": -5, "timeout": 7200, "attempts": 1,
                          "parity": {"max_abs": 0, "min_cosine": -0.25}}


def keys(stub):
    return [h["Idempotency-Key"] for r, h in zip(stub.requests, stub.headers) if r[0] == "POST"]


def test_every_submission_has_a_key_of_its_own(stub):
    assert ctl(stub, "submit", "/m").returncode == ctl(stub, "submit", "/m").returncode == 0
    assert ctl(stub, "submit", "/m", "--key", "k" * 255).returncode == 0
    first, second, mine = keys(stub)
    assert first != second and len(first) == 32 and mine == "k" * 255


def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_key(stub):
    stub.routes["POST", "/v1/jobs"] = [lambda h: h.drop(), lambda h: h.drop(), lambda h: h.answer(200, job("queued"))]
    r = ctl(stub, "submit", "/m")
    assert r.returncode == 0 and r.stdout == "42\n" and r.stderr.count("asking again, which makes no second job") == 1
    assert len(keys(stub)) == 3 and len(set(keys(stub))) == 1


def test_a_key_of_another_job(stub):
    stub.routes["POST", "/v1/jobs"] = lambda h: h.problem(422, "key_reused", "this key made another job", "Idempotency-Key")
    r = ctl(stub, "submit", "/m", "--key", "k")
    assert r.returncode == 2 and "Idempotency-Key: this key made another job" in r.stderr


# Lists

def test_list_asks_for_what_is_wanted(stub):
    assert ctl(stub, "list", "-s", "queued,running", "-m", "/a b", "--label", "a=1", "--label", "b=2&", "--reason", "io",
               "--owner", "me", "-n", 7).returncode == 0
    assert stub.requests[-1][1] == ("/v1/jobs?state=queued%2Crunning&model=%2Fa%20b&reason=io&owner=me&label=a%3D1"
                                    "&label=b%3D2%26&limit=7")


def pages(stub, path, member, *rows):
    stub.routes["GET", path] = [
        lambda h, i=i, r=r: h.answer(200, {member: r, "next": str(i) if i < len(rows) else None})
        for i, r in enumerate(rows, 1)]


def test_list_of_all_pages(stub):
    three = [[job(id=9), job(id=8)], [], [job("done", id=1)]]
    pages(stub, "/v1/jobs", "jobs", *three)
    r = ctl(stub, "list", "--all", "-o", "name")
    assert r.stdout == "9\n8\n1\n"
    assert [q[1] for q in stub.requests] == ["/v1/jobs?limit=1000", "/v1/jobs?limit=1000&cursor=1",
                                             "/v1/jobs?limit=1000&cursor=2"]
    pages(stub, "/v1/jobs", "jobs", *three)
    assert json.loads(ctl(stub, "list", "--all", "--json").stdout) == {"jobs": sum(three, []), "next": None}
    pages(stub, "/v1/jobs", "jobs", *three)
    assert [line.split()[0] for line in ctl(stub, "list", "--all").stdout.splitlines()] == ["ID", "9", "8", "1"]
    pages(stub, "/v1/jobs", "jobs", [])
    assert json.loads(ctl(stub, "list", "--all", "--json").stdout) == {"jobs": [], "next": None}


def test_forms_of_a_list(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [
        EXPORT, job("queued", waiting={"for": "pause", "ahead": None, "until": daemon.TIME}),
        job("failed", id=7, reason="io", owner="me", runner="gpu0")], "next": None})
    narrow = ctl(stub, "list").stdout.splitlines()
    assert [line.split()[1:3] for line in narrow[1:]] == [["running", "export"], ["queued", "pause"], ["failed", "io"]]
    wide = ctl(stub, "list", "-o", "wide").stdout.splitlines()
    assert wide[0].split() == ["ID", "STATE", "DETAIL", "AGE", "CREATED", "PRIORITY", "ATTEMPT", "OWNER", "RUNNER", "GRAPHS",
                               "DTYPE", "LABELS", "MODEL"]
    assert "1/3" in wide[3] and "me" in wide[3] and "gpu0" in wide[3]
    assert ctl(stub, "list", "-o", "name").stdout == "42\n42\n7\n"
    assert len(json.loads(ctl(stub, "list", "-o", "json").stdout)["jobs"]) == 3


def test_other_lists(stub):
    assert ctl(stub, "artifacts").stdout.splitlines()[1].split()[2:] == ["3", "6.17", "GB", "/srv/models/colqwen2"]
    assert ctl(stub, "artifacts", "-o", "name").stdout == "7\n"
    assert ctl(stub, "runners", "-o", "name").stdout == "local\ngpu0\n"
    assert "(this host)" in ctl(stub, "runners").stdout and "srun --gres=gpu:1" in ctl(stub, "runners").stdout
    assert "CUDA_VISIBLE_DEVICES" in ctl(stub, "runners", "-o", "wide").stdout
    models = ctl(stub, "models").stdout
    assert "text,image,unified" in models and "dtype          fp32, fp16" in models
    assert "colqwen2       BiQwen2 (colpali-engine; last-token, mean): a/b, c/d\n" in models
    assert ctl(stub, "models", "-o", "name").stdout == "colqwen2\n"
    for what in ("artifacts", "runners", "models", "status"):
        assert json.loads(ctl(stub, what, "--json").stdout)


def test_what_is_known_of_a_model(stub):
    def known(*name):
        return ctl(stub, "models", *name)

    assert known("A/B-v1.0").stdout.splitlines() == [
        "name           a/b-v1.0", "architecture   colqwen2", "class          BiQwen2", "parameters     2210000000", "width          1536",
        "status         converted, and verified on golden data of its class", "note           an adapter"]
    unseen = known("d-v2.0").stdout  # without its owner
    assert "status         converted, with something not seen: its config.json\n" in unseen
    assert "head           last-token\n" in unseen and "pages          a/b-v1.0\n" in unseen
    assert "experimental   experimental: rebuilt\n" in unseen
    assert "status         refused: its experts\n" in known("argus").stdout
    for name in ("biqwen2", "ColQwen2"):  # a class and a family have several
        assert known(name).stdout.splitlines() == [
            "colqwen2       BiQwen2 (colpali-engine; last-token, mean)",
            "BiQwen2        a/b-v1.0: converted, and verified on golden data of its class",
            "BiQwen2        c/d-v2.0: converted, with something not seen: its config.json"]
    assert known("biqwen2", "-o", "name").stdout == "a/b-v1.0\nc/d-v2.0\n"
    assert [r["name"] for r in json.loads(known("biqwen2", "--json").stdout)] == ["a/b-v1.0", "c/d-v2.0"]


@pytest.mark.parametrize("name, near", [("argus-2b", "; near to it: e/argus-9b"), ("v", ""), ("", ""), ("zzzzzz", ""),
                                        ("d-v2", "; near to it: c/d-v2.0")])
def test_a_model_that_is_not_known(stub, name, near):
    gone = ctl(stub, "models", name)
    assert f"'{name}' is not a repository, class or family that colconv knows{near}; what is converted is decided by config.json" in gone.stderr
    assert (gone.returncode, gone.stdout) == (2, "")


def test_status(stub):
    shown = ctl(stub, "status").stdout
    assert "3 queued, 1 running, 20 done, 2 failed, 0 cancelled" in shown and "1 of 3 busy" in shown
    assert "20 (120 GB)" in shown and "500 GB free of 1.00 TB" in shown and "ready" in shown


# Changes

def test_retry_and_delete(stub):
    r = ctl(stub, "retry", 42)
    assert r.returncode == 0 and r.stderr == "job 42 is queued again; 'colconvctl watch 42' follows it\n"
    assert ctl(stub, "delete", 42).stderr == "job 42 is deleted\n" and stub.requests[-1][:2] == ("DELETE", "/v1/jobs/42")
    r = ctl(stub, "delete", "--artifact", 42)
    assert r.stderr == "the artifact of job 42 is removed\n" and stub.requests[-1][:2] == ("DELETE", "/v1/jobs/42/files")


def test_one_that_fails_does_not_stop_the_others(stub):
    stub.routes["POST", "/v1/jobs/7/retry"] = lambda h: h.problem(409, "conflict", "job 7 is done")
    r = ctl(stub, "retry", 6, 7, 42)
    assert r.returncode == 3
    assert r.stderr.splitlines()[1:] == [
        "colconvctl: job 7 is done; 'colconvctl show 7' shows the job's state",
        "job 42 is queued again; 'colconvctl watch 42' follows it"]


def test_purge(stub):
    r = ctl(stub, "purge", "--keep-artifacts", 5, "--keep-bytes", "500GB", "--keep-seconds", "30d", "--keep-jobs", 0)
    assert r.returncode == 0 and r.stderr == "removed 2 artifacts (12.3 GB) and 1 jobs\n"
    assert r.stdout == "artifacts of 3 4\njobs 1\n"
    assert json.loads(stub.requests[-1][2]) == {"dry_run": False, "keep_artifacts": 5, "keep_bytes": 500 * 10**9,
                                                "keep_seconds": 30 * 86400, "keep_jobs": 0}
    stub.routes["POST", "/v1/purge"] = lambda h: h.answer(200, {**daemon.PURGED, "dry_run": True})
    assert ctl(stub, "purge", "--keep-jobs", 1, "--dry-run").stderr.startswith("would remove 2 artifacts")
    assert json.loads(stub.requests[-1][2]) == {"dry_run": True, "keep_jobs": 1}


def lasting(stub, **spec):
    """Makes job 7, with these options beside the defaults."""
    stub.routes["GET", "/v1/jobs/7"] = lambda h: h.answer(200, job("done", id=7, spec={**EXPORT["spec"], **spec}))


def test_submit_like_an_earlier_job(stub):
    lasting(stub, variants=["image"], storage="int8", labels={"team": "search"}, priority=7,
            parity={**EXPORT["spec"]["parity"], "min_cosine": 0.9, "min_top5": 0.95})
    assert ctl(stub, "submit", "--like", 7).returncode == 0
    same = sent(stub)
    assert same.pop("parity")["min_cosine"] == 0.9
    assert same == {"model": "/srv/models/colqwen2", "variants": ["image"], "storage": "int8",
                    "labels": {"team": "search"}, "priority": 7}
    assert ctl(stub, "submit", "/other", "--like", 7, "--priority", 3, "--label", "run=2", "--no-parity").returncode == 0
    assert sent(stub) == {"model": "/other", "variants": ["image"], "storage": "int8",
                          "labels": {"team": "search", "run": "2"}, "priority": 3, "parity": False}


def test_like_leaves_limits_to_the_new_dtype(stub):
    lasting(stub)
    assert ctl(stub, "submit", "--like", 7, "--dtype", "fp16").returncode == 0
    assert sent(stub).get("parity", {}) == {}  # 1e-4, the limit of fp32, would fail every fp16 graph
    assert sent(stub)["dtype"] == "fp16"
    lasting(stub, parity={**EXPORT["spec"]["parity"], "max_abs": 0.5})
    assert ctl(stub, "submit", "--like", 7, "--dtype", "fp16").returncode == 0
    assert sent(stub)["parity"] == {"max_abs": 0.5}


def test_like_of_a_newer_daemon_keeps_everything(stub):
    lasting(stub, speed="high")
    assert ctl(stub, "submit", "--like", 7).returncode == 0
    assert sent(stub)["speed"] == "high" and sent(stub)["dtype"] == "fp32"


def test_like_nothing(stub):
    r = ctl(stub, "submit", "--like", 8)
    assert r.returncode == 3 and not stub.asked("POST", "/v1/jobs")
    r = ctl(stub, "submit", "--like", "x")
    assert r.returncode == 2 and "a job's id" in r.stderr
    lasting(stub)
    r = ctl(stub, "submit", "--like", 7, "-f", "-", stdin="{}")
    assert r.returncode == 2 and "--like cannot be used with --file" in r.stderr


@pytest.mark.parametrize("answer,goes", [(b"y\n", True), (b"YES\n", True), (b"\n", False), (b"nonsense\n", False), (b"\x04", False)])
def test_delete_asks_on_a_terminal(stub, answer, goes):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job("done"))
    shown, status = on_terminal(["delete", 42], rb"\[y/N\] $", lambda fd: os.write(fd, answer), **environment(stub))
    assert "delete job 42 with its log and 3 files, 1.05 MB? [y/N] " in shown and status == 0
    assert bool(stub.asked("DELETE", "/v1/jobs/42")) == goes
    assert ("job 42 is deleted" in shown, "job 42 is kept" in shown) == (goes, not goes)


def test_delete_asks_about_what_is_there(stub):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job("done"))
    no = (rb"\[y/N\] $", lambda fd: os.write(fd, b"n\n"))
    assert "remove the artifact of job 42, 3 files, 1.05 MB? [y/N] " in on_terminal(
        ["delete", "--artifact", 42], *no, **environment(stub))[0]
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job("failed", reason="io", message="no"))
    assert "delete job 42 with its log? [y/N] " in on_terminal(["delete", 42], *no, **environment(stub))[0]
    shown, _ = on_terminal(["delete", 42, "--yes"], **environment(stub))
    assert "[y/N]" not in shown and stub.asked("DELETE", "/v1/jobs/42")


@pytest.mark.parametrize("answer,goes", [(b"y\n", True), (b"n\n", False)])
def test_purge_asks_on_a_terminal(stub, answer, goes):
    shown, status = on_terminal(["purge", "--keep-jobs", 1], rb"\[y/N\] $", lambda fd: os.write(fd, answer),
                                **environment(stub))
    assert "remove 2 artifacts (12.3 GB) and 1 jobs? [y/N] " in shown and status == 0
    assert [json.loads(r[2])["dry_run"] for r in stub.asked("POST", "/v1/purge")] == [True] + [False] * goes
    assert ("nothing is removed" in shown) != goes
    shown, _ = on_terminal(["purge", "--keep-jobs", 1, "-y"], **environment(stub))
    assert "[y/N]" not in shown


def test_bf16_storage_is_named_when_parity_fails(stub):
    for storage, hint in (("bf16", True), ("same", False)):
        failed = job("failed", reason="parity", message="too far", spec={**EXPORT["spec"], "storage": storage})
        stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, failed)
        stub.routes["GET", "/v1/jobs/42/events"] = lambda h: h.events(event("job", failed))
        assert ("--storage same keeps them" in ctl(stub, "show", 42).stdout) == hint
        assert ("--storage same keeps them" in ctl(stub, "watch", 42).stderr) == hint


def test_a_failed_job_is_explained(stub):
    for reason, words in (("hub_gated", "accept the terms"), ("parity", "'colconvctl parity 42' shows which cases fail"),
                          ("trace", "'colconvctl logs 42' shows the operation"), ("what", "'colconvctl logs 42'")):
        stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job("failed", reason=reason, message="because"))
        assert words in ctl(stub, "show", 42).stdout


def test_show_says_why_a_job_waits(stub):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job(
        "queued", waiting={"for": "slot", "ahead": 3, "until": None}))
    assert "state          queued, 3 ahead\n" in ctl(stub, "show", 42).stdout
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job(
        "done", owner="me", runner="gpu0", usage={"seconds": 61.5, "cpu_seconds": 100, "peak_rss_bytes": 3 * 10**9}))
    shown = ctl(stub, "show", 42).stdout
    assert "61.5 s, 100.0 s of CPU, at most 3.00 GB resident (mapped files included)" in shown and "3 files, 1.05 MB" in shown


# logs, history, events, api

def test_logs(stub):
    assert ctl(stub, "logs", 42).stdout == f"{daemon.TIME} <6>one\n{daemon.TIME} <4>two\n"
    assert ctl(stub, "logs", 42, "--tail", 0).returncode == 0 and stub.requests[-1][1] == "/v1/jobs/42/log?tail=0"
    assert ctl(stub, "logs", 43).returncode == 3


def history(stub, *pages):
    stub.routes["GET", "/v1/jobs/42/history"] = [
        lambda h, p=p: p(h) if callable(p) else h.answer(200, {"events": p, "next": None}) for p in pages]


def test_logs_that_come(stub):
    history(stub, [past(1, "state", state="queued"), past(4, "log", line="a"), past(5, "log", line="b")],
            [], lambda h: h.problem(503, "busy", "starting"), [past(9, "log", line="c")],
            [past(10, "state", state="done")], [])
    r = ctl(stub, "logs", "--follow", 42)
    assert r.returncode == 0 and r.stdout == "".join(f"{daemon.TIME} {c}\n" for c in "abc")
    assert r.stderr == "colconvctl: lost the daemon; waiting for it\ncolconvctl: the daemon is back\n"
    assert [q[1].split("?")[1].split("&")[0] for q in stub.asked("GET", "/v1/jobs/42/history")] == [
        "after=0", "after=5", "after=5", "after=5", "after=9", "after=10"]
    history(stub, [past(i, "log", line=f"{i}") for i in range(1, 9)], [past(9, "state", state="failed")], [])
    assert ctl(stub, "logs", "-f", "--tail", 2, 42).stdout == f"{daemon.TIME} 7\n{daemon.TIME} 8\n"


def test_logs_of_a_job_whose_end_is_no_event(stub):
    history(stub, [])
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, job("done"))
    assert ctl(stub, "logs", "-f", 42).returncode == 0


def test_history(stub):
    history(stub, [past(1, "state", state="queued", attempt=0, reason=None, message=None),
                   past(2, "stage", stage="export", attempt=1),
                   past(3, "state", state="failed", attempt=1, reason="io", message="no\x1b")], [])
    assert ctl(stub, "history", 42).stdout == (
        f"{daemon.TIME}  state  queued\n{daemon.TIME}  stage  export\n"
        f"{daemon.TIME}  state  failed, attempt 1 (io): no\\x1b\n")
    history(stub, [past(5, "stage", stage="export")], [])
    assert json.loads(ctl(stub, "history", "--json", 42).stdout)["id"] == 5
    history(stub, [past(5, "stage", stage="a"), past(5, "stage", stage="a")])
    r = ctl(stub, "history", 42)
    assert r.returncode == 1 and "goes backwards" in r.stderr


def test_events(stub):
    stub.routes["GET", "/v1/events"] = [
        lambda h: h.events(event("ready", {}, 7), state("running", 8), event("progress", {
            "job": 42, "stage": "export", "done": 1, "total": 4, "unit": "bytes", "detail": ""})),
        lambda h: h.events(state("failed", 9, reason="io", message="no"), event("removed", {"job": 42})),
        lambda h: h.problem(401, "unauthorized", "no")]
    r = ctl(stub, "events")
    assert r.returncode == 4
    assert r.stdout == "job 42: running\njob 42: export 25%\njob 42: failed (io): no\njob 42: removed\n"
    assert [h.get("Last-Event-ID") for h in stub.headers] == [None, "8", "9"]
    assert ctl(stub, "events", "--after", 3).returncode == 4 and stub.headers[-1]["Last-Event-ID"] == "3"
    stub.routes["GET", "/v1/events"] = [lambda h: h.events(event("ready", {}, 7)), lambda h: h.problem(401, "unauthorized", "")]
    assert json.loads(ctl(stub, "events", "--json").stdout) == {"event": "ready", "data": {}}


def test_api(stub, tmp_path):
    stub.routes["GET", "/metrics"] = lambda h: h.answer(200, b"colconv_jobs 1\n", "text/plain")
    assert ctl(stub, "api", "/metrics").stdout == "colconv_jobs 1\n"
    assert ctl(stub, "api", "/v1/purge", "-d", "-", stdin='{"keep_jobs": 1}').returncode == 0
    assert stub.requests[-1][:3] == ("POST", "/v1/purge", '{"keep_jobs":1}')
    assert ctl(stub, "api", "-X", "DELETE", "/v1/jobs/42").returncode == 0
    r = ctl(stub, "api", "/none")
    assert r.returncode == 3 and r.stdout == ""
