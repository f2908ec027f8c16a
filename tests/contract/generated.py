#!/usr/bin/env python3
"""A Python client that openapi-python-client generates from proto/openapi.json, against a live daemon: see README.md."""

import argparse
import importlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))

from conftest import SUCCESS, TOP, Daemon  # noqa: E402

API = json.loads((TOP / "proto/openapi.json").read_text())

# The order of the calls: what each operation is called with, and the status that it must get. {job} is a job that is
# done, {failed} one that failed, {other} one that runs until it is cancelled.
CALLS = [
    ("submitJob", {"body": {"model": "{model}", "variants": ["text"]}, "idempotency_key": "once"}, 202),
    ("submitJob", {"body": {"model": "{model}", "variants": ["text"]}, "idempotency_key": "once"}, 200),
    ("listJobs", {"limit": 10}, 200),
    ("getJob", {"id": "{job}", "wait": 20}, 200),
    ("getJob", {"id": 999999}, 404),
    ("streamJobEvents", {"id": "{job}"}, 200),
    ("streamEvents", {}, 200),
    ("getJobHistory", {"id": "{job}"}, 200),
    ("getJobLog", {"id": "{job}"}, 200),
    ("listFiles", {"id": "{job}"}, 200),
    ("getFile", {"id": "{job}", "name": "manifest.json"}, 200),
    ("getParity", {"id": "{job}"}, 200),
    ("listArtifacts", {}, 200),
    ("deleteFiles", {"id": "{job}"}, 204),
    ("getFile", {"id": "{job}", "name": "manifest.json"}, 410),
    ("cancelJob", {"id": "{other}"}, 202),
    ("getJob", {"id": "{other}", "wait": 20}, 200),
    ("retryJob", {"id": "{failed}"}, 200),
    ("getJob", {"id": "{failed}", "wait": 20}, 200),
    ("deleteJob", {"id": "{failed}"}, 204),
    ("purge", {"body": {"keep_jobs": 100}}, 200),
    ("listModels", {}, 200),
    ("listErrors", {}, 200),
    ("listRunners", {}, 200),
    ("getStatus", {}, 200),
    ("getConfig", {}, 200),
    ("getVersion", {}, 200),
    ("getHealth", {}, 200),
    ("getReady", {}, 200),
    ("getMetrics", {}, 200),
    ("getOpenapi", {}, 200),
    ("getPage", {}, 200),
    ("getPageFile", {"name": "page.css"}, 200),
]


def generate(folder):
    """The generated package, imported. A schema that the generator cannot read fails here."""
    (folder / "config.yml").write_text("package_name_override: colconv_client\nproject_name_override: colconv-client\npost_hooks: []\n")
    run = subprocess.run([pathlib.Path(sys.executable).parent / "openapi-python-client", "generate", "--fail-on-warning",
                          "--path", TOP / "proto/openapi.json", "--config", folder / "config.yml",
                          "--output-path", folder / "client"], text=True, capture_output=True)
    if run.returncode:
        sys.exit(f"openapi-python-client fails:\n{run.stdout}{run.stderr}")
    sys.path.insert(0, str(folder / "client"))
    return importlib.import_module("colconv_client")


def operations():
    """{operationId: (tag, name of the generated module)}"""
    return {o["operationId"]: (o["tags"][0], re.sub(r"([A-Z])", r"_\1", o["operationId"]).lower())
            for item in API["paths"].values() for o in item.values()}


def fill(value, words):
    """Puts the numbers and paths of this run where an argument names them."""
    if isinstance(value, dict):
        return {k: fill(v, words) for k, v in value.items()}
    return words.get(value, value) if isinstance(value, str) else value


def body_of(package, module, body):
    """The generated class of the operation's body."""
    kind = module._get_kwargs.__annotations__["body"]
    return getattr(importlib.import_module(f"{package}.models"), getattr(kind, "__name__", kind)).from_dict(body)


def call(package, client, name, arguments, words):
    tag, module_name = operations()[name]
    module = importlib.import_module(f"{package}.api.{tag}.{module_name}")
    arguments = fill(arguments, words)
    if "body" in arguments:
        arguments["body"] = body_of(package, module, arguments["body"])
    if name.startswith("stream"):
        return stream(client, module._get_kwargs(**arguments))
    return int(module.sync_detailed(client=client, **arguments).status_code)


def stream(client, request):
    """Generated clients read whole answers; a stream is read line by line with the request that they make."""
    with client.get_httpx_client().stream(**request) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                json.loads(line[len("data: "):])
                break
        else:
            raise ValueError("the stream has no event")
        return response.status_code


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="colconv-client-") as name:
        folder = pathlib.Path(name)
        package = generate(folder)
        daemon = Daemon(folder).start("--slots", "2")
        try:
            failed = run(package, daemon)
        finally:
            ended = daemon.stop()
    missing = set(operations()) - {name for name, _, _ in CALLS}
    for name in sorted(missing):
        print(f"{name}: is not called")
    print(f"{len(operations())} operations, {len(CALLS)} calls, {failed} failed, daemon {ended}")
    return 1 if failed or missing or ended else 0


def run(package, daemon):
    """How many calls got another status than theirs, or an answer that the generated classes cannot read."""
    words = {
        "{model}": str(daemon.model("log hello\nstage parity\nreport\n" + SUCCESS)),
        "{failed}": daemon.submit("fail unsupported_model no such model\n"),
        "{other}": daemon.submit("log words\nhang\n"),
    }
    daemon.wait_end(words["{failed}"])
    daemon.wait_running(words["{other}"])
    words["{job}"] = words["{other}"] + 1
    client = package.Client(base_url=f"http://127.0.0.1:{daemon.port}", timeout=None, raise_on_unexpected_status=True)
    failed = 0
    for name, arguments, want in CALLS:
        try:
            got = call(package.__name__, client, name, arguments, words)
        except Exception as e:  # whatever the generated code raises is what is looked for
            got = f"{type(e).__name__}: {e}"
        failed += got != want
        print(f"{'ok ' if got == want else 'BAD'} {name}: {got}" + ("" if got == want else f", not {want}"))
    return failed


if __name__ == "__main__":
    sys.exit(main())
