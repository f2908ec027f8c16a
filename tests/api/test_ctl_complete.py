"""Completion: the candidates that the program prints, and the shell functions that ask for them."""

import os
import re
import shutil
import subprocess

import pytest
import schema
from ctl import BUILD, TOP, ctl, environment, free_port, stub  # noqa: F401
from stub import job

NOBODY = f"http://127.0.0.1:{free_port()}"
FOLDER = os.path.join(TOP, "client", "completion")


def offered(*words, server=None):
    r = ctl(server, "complete", *words, **({} if server else {"COLCONV_SERVER": NOBODY}))
    assert r.returncode == 0 and r.stderr == ""
    return [line.split("\t")[0] or line.strip() for line in r.stdout.splitlines()]


@pytest.mark.parametrize("words,candidates", [
    (["su"], ["submit"]),
    (["re"], ["retry"]),
    (["help", "sub"], ["submit"]),
    (["complete", ""], []),
    (["bogus", ""], []),
    (["--server", "x", "su"], ["submit"]),
    (["--tok"], ["--token-file"]),
    (["list", "--st"], ["--state"]),
    (["list", "--state", ""], ["queued", "running", "done", "failed", "cancelled"]),
    (["list", "-s", "q"], ["queued"]),
    (["list", "--state=q"], ["--state=queued"]),
    (["list", "-o", ""], ["wide", "json", "name"]),
    (["submit", "--dtype", "fp1"], ["fp16"]),
    (["submit", "--variants", ""], ["text", "image", "unified", "preprocess", "page"]),
    (["submit", "--seed", ""], []),
    (["submit", "--bogus=", ""], ["files"]),
    (["submit", ""], ["files"]),
    (["submit", "x", ""], []),
    (["submit", "--wait", "--min"], ["--min-cosine", "--min-top5"]),
    (["convert", "-o", ""], ["dirs"]),
    (["convert", "--worker", ""], ["files"]),
    (["fetch", "--", "--f"], []),
    (["parity", ""], ["files"]),
])
def test_offers_without_a_daemon(words, candidates):
    assert offered(*words) == candidates


def test_every_command_completes_its_options():
    for command in offered(""):
        assert "--help" in offered(command, "--"), command


def manual(name):
    with open(os.path.join(TOP, "client", name)) as f:
        return f.read().replace("\\-", "-")


def test_the_manual_names_every_command_and_option():
    page = manual("colconvctl.1")
    for command in offered(""):
        assert re.search(rf"^\.BI?R? {command}\b", page, re.M), command
        for option in offered(command, "--"):
            assert option in page, (command, option)


def test_the_manual_of_the_api_names_every_route():
    page = manual("colconv-api.7").replace("\\fI", "{").replace("\\fP", "}").lower()
    for path, methods in schema.API["paths"].items():
        for method in methods:
            lines = [line for line in page.splitlines() if line.startswith(method + " ")]
            assert any(re.search(rf"[ ]{re.escape(path)}[,\t]", line) for line in lines), (method, path)


@pytest.mark.parametrize("command,states", [("show", None), ("watch", "queued,running"), ("retry", "failed,cancelled"),
                                            ("fetch", "done")])
def test_ids_of_live_jobs(stub, command, states):
    assert offered(command, "4", server=stub) == ["42"]
    assert offered(command, "", server=stub) == ["42", "7"]
    assert stub.requests[-1][1] == "/v1/jobs?limit=100" + (f"&state={states}" if states else "")
    assert offered(command, "--server", stub.url, "4") == ["42"]
    assert offered("fetch", "42", "", server=stub) == []
    assert offered("cancel", "42", "7", server=stub) == ["7"]
    assert offered("submit", "--like", "4", server=stub) == ["42"]


def test_descriptions_are_harmless(stub):
    stub.routes["GET", "/v1/jobs"] = lambda h: h.answer(200, {"jobs": [job(spec={"model": "/a\tb\x1b[2J\n"})]})
    assert ctl(stub, "complete", "show", "").stdout == "42\trunning /a\\x09b\\x1b[2J\\x0a\n"


def bash(line, **env):
    """Returns what bash offers for a line with the cursor at its end."""
    script = """
        source "$1/colconvctl"
        compopt() { echo "compopt $*"; }
        COMP_LINE=$2 COMP_POINT=${#2}
        # As readline parts it.
        mapfile -t COMP_WORDS < <(sed -E 's/([=:])/ \\1 /g' <<<"$2" | xargs -n1)
        [[ $2 == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _colconvctl
        printf '%s\\n' "${COMPREPLY[@]}"
        complete -p colconvctl"""
    r = subprocess.run(["bash", "-c", script, "bash", FOLDER, line], capture_output=True, text=True, timeout=30,
                       env=environment(PATH=f"{BUILD}:{os.environ['PATH']}", COLCONV_SERVER=NOBODY, **env))
    assert r.returncode == 0 and r.stderr == "", r.stderr
    *found, how = r.stdout.splitlines()
    assert how == "complete -F _colconvctl colconvctl"
    return [f for f in found if f]


@pytest.mark.parametrize("line,found", [
    ("colconvctl su", ["submit"]),
    ("colconvctl list --state ca", ["cancelled"]),
    ("colconvctl list --state=ca", ["cancelled"]),
    ("colconvctl submit --dtype=", ["fp32", "fp16"]),
    ("colconvctl submit ", ["compopt -o default"]),
    ("colconvctl fetch -o ", ["compopt -o dirnames"]),
    ("colconvctl --server http://127.0.0.1:1 su", ["submit"]),
])
def test_bash(line, found):
    assert bash(line) == found


def test_bash_with_live_jobs(stub):
    assert bash(f"colconvctl show --server {stub.url} ") == ["42", "7"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
def test_zsh(stub):
    def zsh(*words):
        script = """
            compdef() { : }
            _describe() { print -rl -- "${(@P)3}" }
            _files() { print -r -- files $* }
            folder=$1; shift
            words=("$@") CURRENT=$#
            source $folder/_colconvctl"""
        r = subprocess.run(["zsh", "-fc", script, "zsh", FOLDER, *words], capture_output=True, text=True, timeout=30,
                           env=environment(stub, PATH=f"{BUILD}:{os.environ['PATH']}"))
        assert r.returncode == 0 and r.stderr == "", r.stderr
        return r.stdout.splitlines()

    assert zsh("colconvctl", "su")[0].startswith("submit:ask the daemon")
    assert zsh("colconvctl", "show", "") == ["42:running /srv/models/colqwen2", "7:done /srv/models/colqwen2"]
    assert zsh("colconvctl", "submit", "") == ["files"] and zsh("colconvctl", "fetch", "-o", "") == ["files -/"]
