"""colconvctl as its users see it: the command line and the error messages."""

import json
import re
import os

import pytest
import schema
from ctl import ctl, free_port, stub  # noqa: F401
from stub import MODELS, PURGED, RUNNERS, STATUS, Stub, job


COMMANDS = [
    "submit", "list", "show", "watch", "wait", "logs", "history", "cancel", "retry", "delete", "fetch", "parity",
    "artifacts", "purge", "inspect", "sign", "push", "embed", "rank", "verify", "convert", "status", "runners", "models", "events", "api", "config", "version",
    "help"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command):
    for r in (ctl(None, command, "--help"), ctl(None, command, "-h"), ctl(None, "help", command)):
        assert r.returncode == 0 and r.stderr == ""
        assert r.stdout.startswith(f"Usage: colconvctl {command}")
        assert "--json" in r.stdout and "--server URL" in r.stdout


def test_help_lists_the_commands():
    shown = ctl(None, "--help").stdout
    assert all(f"  {c} " in shown for c in COMMANDS)
    assert [c["name"] for c in json.loads(ctl(None, "help", "--json").stdout)] == COMMANDS


@pytest.mark.parametrize("args,words", [
    ([], "Usage: colconvctl"),
    (["bogus"], "unknown command 'bogus'"),
    (["help", "bogus"], "unknown command 'bogus'"),
    (["list", "--bogus"], "unknown option '--bogus'; see 'colconvctl list --help'"),
    (["list", "x"], "list does not take 'x'"),
    (["list", "--limit", "0"], "--limit must be from 1 to 1000"),
    (["show"], "show needs ID"),
    (["show", "x"], "a job's id must be a whole number, not 'x'"),
    (["show", "0"], "a job's id must be from 1"),
    (["watch", "1", "--timeout", "soon"], "--timeout must be a time such as 90, 5m, 2h or 30d, not 'soon'"),
    (["watch", *["1"] * 65], "watch takes at most 64 jobs"),
    (["wait"], "wait needs ID..."),
    (["wait", "1", "x"], "a job's id must be a whole number, not 'x'"),
    (["cancel", "1", "x"], "a job's id must be a whole number, not 'x'"),
    (["list", "-o", "tall"], "--output must be wide, json or name, not 'tall'"),
    (["purge"], "purge needs a limit: --keep-artifacts"),
    (["purge", "--keep-bytes", "much"], "--keep-bytes must be a size such as 500MB"),
    (["purge", "--keep-seconds", "5w"], "--keep-seconds must be a time such as 90"),
    (["purge", "--keep-seconds", "99999999999999999d"], "--keep-seconds must be a time such as 90"),
    (["fetch", "42", "--parallel", "0"], "--parallel must be from 1 to 16"),
    (["fetch", "42", "--parallel", "17"], "--parallel must be from 1 to 16"),
    (["api", "v1/jobs"], "PATH must be one such as /v1/jobs, not 'v1/jobs'"),
    (["api", "/v1 HTTP"], "PATH must be one such as /v1/jobs"),
    (["api", "/x", "-X", "PUT"], "--method must be GET, POST or DELETE, not 'PUT'"),
    (["submit", "/", "--key", "a b"], "--key must be at most 255 visible characters of ASCII"),
    (["submit", "/", "--key", "k" * 256], "--key must be at most 255 visible characters of ASCII"),
    (["submit", "/", "--max-abs", "0x1p-3"], "max-abs must be a number, not '0x1p-3'"),
    (["submit", "/", "--max-abs", " 1"], "max-abs must be a number, not ' 1'"),
    (["submit", "/", "--seed", " 1"], "must be"),
    (["submit", "/", "--seed", "0x1"], "must be"),
    (["submit", "/", "--priority", " 1"], "must be"),
    (["submit", "/", "--priority", "0x1"], "must be"),
    (["submit", "/", "--attempts", "0x1"], "must be"),
    (["submit", "/", "--job-timeout", "0x1"], "must be"),
    (["show", "0x2a"], "a job's id must be a whole number, not '0x2a'"),
    (["show", " 42"], "a job's id must be a whole number, not ' 42'"),
    (["list", "--limit", " 5"], "must be a whole number"),
    (["logs", "42", "--tail", "0x5"], "must be a whole number"),
    (["submit", "/", "--min-cosine", "nan"], "min-cosine must be a number, not 'nan'"),
    (["submit", "/", "--priority", "--"], "priority must be a whole number"),
    (["submit", "/", "--job-timeout", "-1"], "--job-timeout must be a time such as"),
    (["submit"], "there must be a model, or a --file with one"),
    (["submit", "/", "--no-parity", "--seed", "1"], "--seed cannot be used with --no-parity"),
    (["submit", "no/such/folder"], "cannot find 'no/such/folder', which must be a folder here or OWNER/NAME on the Hub: No "
                                   "such file"),
    (["submit", "/", "--reference", "none"], "cannot find 'none': No such file or directory"),
    (["sbumit"], "unknown command 'sbumit'; did you mean 'submit'?"),
    (["jobs"], "unknown command 'jobs'; did you mean 'list'?"),
    (["rm", "3"], "unknown command 'rm'; did you mean 'delete'?"),
    (["c"], "unknown command 'c';"),
    (["help", "artifact"], "did you mean 'artifacts'?"),
    (["list", "--labels=x"], "unknown option '--labels=x'; did you mean '--label'?"),
    (["list", "-x"], "unknown option '-x';"),
    (["submit", "--file", "/no/such/file"], "cannot open '/no/such/file'"),
    (["logs", "7", "--json"], "a log is plain text and has no JSON form"),
    (["convert", "/"], "convert needs --output DIR"),
    (["convert", "/", "-o", "x", "--dtype", "fp8"], "dtype must be"),
    (["list", "--server", "ftp://x"], "the server must be HOST:PORT, a URL http://HOST:PORT, or unix:/PATH, not 'ftp://x'"),
    (["list", "--server", "unix:relative"], "the server must be"),
])
def test_usage_errors(stub, tmp_path, args, words):
    r = ctl(stub, *args, cwd=tmp_path)
    assert r.returncode == 2 and r.stdout == ""
    assert words in r.stderr
    assert stub.requests == []


@pytest.mark.parametrize("args", [["list"], ["show", "42"], ["watch", "42"], ["cancel", "42"], ["fetch", "42"],
                                  ["parity", "42"], ["submit", "/"]])
def test_unreachable(tmp_path, args):
    url = f"http://127.0.0.1:{free_port()}"
    r = ctl(None, *args, COLCONV_SERVER=url, cwd=tmp_path)
    assert r.returncode == 9 and r.stdout == ""
    assert r.stderr == (f"colconvctl: cannot reach the daemon at {url}: Connection refused; "
                        "check that colconvd runs there ('systemctl status colconvd'); 'colconvctl config' shows where this "
                        "program looks\n")
    r = ctl(None, *args, "--server", f"unix:{tmp_path}/none", cwd=tmp_path)
    assert r.returncode == 9 and "cannot reach the daemon at unix:" in r.stderr


def test_server_given_in_each_way(stub, tmp_path):
    assert ctl(None, "list", "--server", stub.url).returncode == 0
    assert ctl(None, "--server", stub.url + "/", "list").returncode == 0
    assert ctl(stub, "list", http_proxy="http://127.0.0.1:1").returncode == 0
    local = Stub(unix=f"{tmp_path}/sock")
    try:
        assert "running" in ctl(local, "list").stdout
    finally:
        local.close()


def test_version(stub):
    r = ctl(stub, "version")
    assert r.returncode == 0 and r.stdout.startswith("colconvctl ") and r.stdout.endswith("\ncolconvd 9.9\n")
    assert json.loads(ctl(stub, "version", "--json").stdout)["daemon"]["version"] == "9.9"
    r = ctl(None, "version", COLCONV_SERVER=f"http://127.0.0.1:{free_port()}")
    assert r.returncode == 0 and "cannot reach the daemon" in r.stderr
    assert ctl(None, "--version").stdout.startswith("colconvctl ")


@pytest.mark.parametrize("args", [["list"], ["show", "42"], ["cancel", "42"], ["parity", "42"], ["submit", "/"],
                                  ["submit", "/", "--wait"], ["fetch", "42"], ["version"], ["help"]])
def test_json_is_json(stub, tmp_path, args):
    r = ctl(stub, *args, "--json", cwd=tmp_path)
    assert r.returncode == (10 if args[0] == "parity" else 0)
    assert json.loads(r.stdout)
    if args[0] != "fetch":  # its -o is a folder
        assert ctl(stub, *args, "-o", "json", cwd=tmp_path).stdout == r.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_o_is_json_a_form_or_a_file(stub, command):
    """-o json works with every command, except those whose -o names a file or folder."""
    (value,) = re.findall("-o, --output ([a-zA-Z]+)", ctl(None, command, "--help").stdout)
    assert value in ("FORM", "DIR", "FILE") or value == "json"
    if value == "json":
        r = ctl(stub, command, *["1"] * 2, "-o", "yaml")
        assert r.returncode == 2 and "--output must be json here, not 'yaml'" in r.stderr


# Problems

@pytest.mark.parametrize("status,code,exit_status", [
    (400, "bad_request", 2), (404, "not_found", 3), (403, "not_allowed", 4), (409, "conflict", 1), (503, "busy", 1),
    (500, "internal", 1), (413, "too_large", 2), (401, "unauthorized", 4), (410, "gone", 3), (422, "key_reused", 2),
    (405, "method_not_allowed", 1), (507, "no_space", 5), (416, "bad_range", 2),
])
def test_problem_documents(stub, status, code, exit_status):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.problem(status, code, "it is \x1b[31mso\u009b")
    r = ctl(stub, "show", 42)
    assert r.returncode == exit_status
    assert "it is ?[31mso??" in r.stderr and "\x1b" not in r.stderr


def test_problem_names_the_field(stub):
    stub.routes["POST", "/v1/jobs"] = lambda h: h.problem(400, "bad_request", "must be one of fp32", "dtype")
    assert "colconvctl: dtype: must be one of fp32; see 'colconvctl submit --help'" in ctl(stub, "submit", "/").stderr
    stub.routes["POST", "/v1/jobs"] = lambda h: h.problem(400, "bad_request", "dtype must be one of fp32", "dtype")
    assert "colconvctl: dtype must be one of fp32;" in ctl(stub, "submit", "/").stderr


@pytest.mark.parametrize("status,exit_status", [(401, 4), (403, 4), (404, 3), (410, 3), (502, 1), (503, 1),
                                                (507, 5)])
def test_errors_that_are_no_problem_documents(stub, status, exit_status):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(status, b"<html>no</html>", "text/html")
    r = ctl(stub, "show", 42)
    assert r.returncode == exit_status and f"answers {status} to GET /v1/jobs/42" in r.stderr


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": 1, "a": 2}', b"[" * 100, b"\xff"])
def test_answers_that_are_no_json(stub, body):
    stub.routes["GET", "/v1/jobs/42"] = lambda h: h.answer(200, body)
    r = ctl(stub, "show", 42)
    assert r.returncode == 1 and r.stdout == "" and "/v1/jobs/42 at '" in r.stderr


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"jobs": 7}', b'{"id": "x", "spec": 3}'])
def test_documents_of_another_shape_do_no_harm(stub, tmp_path, body):
    for path in ("", "/42", "/42/files", "/42/parity"):
        stub.routes["GET", "/v1/jobs" + path] = lambda h: h.answer(200, body)
    assert [ctl(stub, *args, cwd=tmp_path).returncode
            for args in (["list"], ["show", 42], ["fetch", 42], ["parity", 42])] == [0, 0, 1, 10]


# What the scripted daemon says is what a real one may say

@pytest.mark.parametrize("state", ["queued", "running", "done", "failed", "cancelled"])
def test_the_stub_speaks_the_contract(state):
    schema.check(job(state), "Job")


def test_the_stub_speaks_the_contract_elsewhere():
    schema.check(STATUS, "Status")
    schema.check(PURGED, "Purged")
    for runner in RUNNERS:
        schema.check(runner, "Runner")
    assert list(MODELS) == ["models", "repositories", "options", "fields"]
    for field in MODELS["fields"]:
        schema.check(field, "Field")


# Settings

TOKEN = "a-token-of-sixteen"


@pytest.fixture
def config(tmp_path):
    """Writes the user's configuration file, and returns the environment variables that it needs."""
    def write(text, mode=0o600):
        path = tmp_path / "colconv" / "colconvctl.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    write.env = {"XDG_CONFIG_HOME": str(tmp_path)}
    return write


def shown(*args, server=None, **env):
    return json.loads(ctl(server, *args, "config", "--json", **env).stdout)


def test_settings_come_from_the_first_that_has_them(config, tmp_path):
    assert shown()["server"]["from"] == "built in"
    path = config("# mine\n\n  server = http://127.0.0.1:1  \n")
    assert shown(**config.env)["server"] == {"value": "http://127.0.0.1:1", "from": str(path)}
    env = {**config.env, "COLCONV_SERVER": "http://127.0.0.1:2"}
    assert shown(**env)["server"] == {"value": "http://127.0.0.1:2", "from": "COLCONV_SERVER"}
    assert shown("--server", "http://127.0.0.1:3", **env)["server"] == {"value": "http://127.0.0.1:3", "from": "--server"}
    assert shown("--server", "gpubox:8470")["server"]["value"] == "http://gpubox:8470"
    assert shown("--server", "/run/x.sock")["server"]["value"] == "unix:/run/x.sock"
    assert shown(**{**env, "COLCONV_SERVER": ""})["server"]["from"] == str(path)
    home = tmp_path / "home" / ".config" / "colconv"
    home.mkdir(parents=True)
    (home / "colconvctl.conf").write_text("server = http://127.0.0.1:4\n")
    assert shown(XDG_CONFIG_HOME="", HOME=str(tmp_path / "home"))["server"]["value"] == "http://127.0.0.1:4"


def test_config_as_a_table(config):
    config(f"server = http://127.0.0.1:1\ntoken = {TOKEN}\n")
    r = ctl(None, "config", **config.env)
    assert r.returncode == 0 and r.stderr == "" and TOKEN not in r.stdout
    assert r.stdout.splitlines()[0].split() == ["SETTING", "VALUE", "FROM"]
    assert "\n  /nonexistent" not in r.stdout and "colconvctl.conf (not there)" in r.stdout


def test_config_of_the_daemon(stub):
    assert "slots    2\n" in ctl(stub, "config", "--daemon").stdout
    assert json.loads(ctl(stub, "config", "--daemon", "--json").stdout)["slots"] == 2


@pytest.mark.parametrize("text,words", [
    ("server", "line 1: 'server' is not like 'name = value'"),
    ("\nserv = x\n", "line 2: unknown setting 'serv'"),
    ("server = x\0y\n", "is not a text file"),
    ("token = a b\n", "must be 1 to 256 visible characters of ASCII"),
    pytest.param("token = " + "x" * 257, "must be 1 to 256 visible characters of ASCII", id="token"),
    pytest.param("x" * (1 << 21), "more than the", id="long"),
])
def test_files_that_are_wrong(config, text, words):
    path = config(text)
    r = ctl(None, "list", **config.env)
    assert r.returncode == 2 and words in r.stderr and str(path) in r.stderr


def sent_token(stub, *args, **env):
    r = ctl(stub, *args, "list", **env)
    assert r.returncode == 0
    return stub.headers[-1].get("Authorization"), r.stderr


def test_the_token(stub, config, tmp_path):
    bearer = f"Bearer {TOKEN}"
    assert sent_token(stub) == (None, "")
    assert sent_token(stub, COLCONV_TOKEN=TOKEN) == (bearer, "")
    config(f"token={TOKEN}\n")
    assert sent_token(stub, **config.env) == (bearer, "")
    assert sent_token(stub, COLCONV_TOKEN="another-one", **config.env) == ("Bearer another-one", "")
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    file.chmod(0o600)
    for args, env in ((["--token-file", file], {"COLCONV_TOKEN": "x"}), ([], {"COLCONV_TOKEN_FILE": str(file)})):
        assert sent_token(stub, *args, **env) == ("Bearer from-a-file", "")
    # Of two from one source the token itself counts.
    assert sent_token(stub, COLCONV_TOKEN="itself", COLCONV_TOKEN_FILE=str(file))[0] == "Bearer itself"


def test_a_token_that_everyone_may_read_is_not_used(stub, config, tmp_path):
    path = config(f"token={TOKEN}\n", 0o644)
    bearer, words = sent_token(stub, **config.env)
    assert bearer is None and f"'{path}' holds a token and everyone may read it: not using that token" in words
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    bearer, words = sent_token(stub, "--token-file", file)
    assert bearer is None and "is a token that everyone may read: not using it" in words


@pytest.mark.parametrize("server,warns", [
    ("http://example.invalid", True), ("http://10.0.0.1:1", True), ("https://10.0.0.1:1", False),
    ("http://127.1.2.3:1", False), ("http://localhost:1", False), ("http://[::1]:1", False), ("unix:/none", False)])
def test_a_token_in_the_clear_is_warned_of(server, warns):
    r = ctl(None, "config", COLCONV_TOKEN=TOKEN, COLCONV_SERVER=server)
    assert r.returncode == 0 and ("is not https" in r.stderr) == warns


def test_a_token_that_is_missing(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.problem(401, "unauthorized", "this needs a token")
    r = ctl(stub, "list")
    assert r.returncode == 4 and "this needs a token; give a token with COLCONV_TOKEN" in r.stderr


def test_help_fits(stub):
    for line in ctl(None, "--help").stdout.splitlines() + ctl(None, "submit", "--help").stdout.splitlines()[3:]:
        assert len(line) <= 80, line


@pytest.mark.parametrize("args, words", [
    (["show", "42"], "'colconvctl show 42' shows the job's state"),
    (["cancel", "42"], "'colconvctl show 42' shows the job's state"),
    (["logs", "42"], "'colconvctl show 42' shows the job's state"),
    (["list"], None),       # it is not known which job
])
def test_a_remedy_has_the_number_of_the_job(stub, args, words):
    for route in (("GET", "/v1/jobs/42"), ("POST", "/v1/jobs/42/cancel"), ("GET", "/v1/jobs/42/log"), ("GET", "/v1/jobs")):
        stub.routes[route] = lambda h: h.problem(409, "conflict", "no")
    r = ctl(stub, *args)
    assert r.stderr == (f"colconvctl: no; {words}\n" if words else "colconvctl: no\n")
