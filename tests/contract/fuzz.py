#!/usr/bin/env python3
"""Tests a live daemon against proto/openapi.json with schemathesis: see README.md."""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))

from conftest import SUCCESS, TOP, Daemon  # noqa: E402

ADMIN, READ = "a" * 32, "r" * 32

# Ids and names that are there are drawn this often; others come from the schema.
CONFIG = """\
continue-on-failure = true
request-timeout = 20
max-stream-events = 50
warnings = false
hooks = "hooks"
# What is longer than the daemon reads (header_max) is refused, right or wrong.
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "401", "403", "404", "409", "410", "414", "416", "431"]
checks.negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "414", "422", "431"]
parameters."path.id" = {{dictionary = "ids", probability = 0.7}}
parameters."path.name" = {{dictionary = "names", probability = 0.5}}
{auth}

[dictionaries.ids]
values = {ids}

[dictionaries.names]
values = ["text.onnx", "model.onnx_data", "parity.json", "manifest.json", "nothing", "page.css", "icon.svg"]

# The header Idempotency-Key is good, but came before.
[[operations]]
include-name = "POST /v1/jobs"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "414", "422", "431"]

# This stream has no end: what it begins with is all that is read of it.
[[operations]]
include-path = "/v1/events"
max-stream-events = 1
"""

SCRIPTS = [
    SUCCESS,
    "stage resolve\nsleep 0.3\n" + SUCCESS,
    "fail unsupported_model no such model\n",
    "stage parity\nreport\nfail parity too far\n",
    "log words\nhang\n",
]

# What the daemon is run with, and how it is called.
MODES = {
    "open": {"options": []},
    "roots": {"options": ["--roots", "{models}"]},
    "admin": {"options": ["--tokens", "{tokens}", "--roots", "/"], "token": ADMIN},
    "read": {"options": ["--tokens", "{tokens}", "--roots", "/"], "token": READ},
}


class Stirrer(threading.Thread):
    """Makes jobs of all kinds and ends running ones, so that requests which wait for the end of a job get an answer."""

    def __init__(self, daemon, token):
        super().__init__(daemon=True)
        self.daemon_ = daemon
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.ended = threading.Event()
        self.models = [daemon.model(script) for script in SCRIPTS]

    def call(self, method, path, body=None):
        connection = self.daemon_.connect()
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, {**self.headers, "Content-Type": "application/json"})
            return json.load(connection.getresponse())

    def submit(self):
        for model in self.models:
            self.call("POST", "/v1/jobs", {"model": model, "attempts": 1})

    def run(self):
        turn = 0
        while not self.ended.wait(0.5):
            for job in self.call("GET", "/v1/jobs?state=queued,running&limit=1000")["jobs"][turn % 2 :: 2]:
                self.call("POST", f"/v1/jobs/{job['id']}/cancel")
            turn += 1
            if turn % 8 == 0:
                self.submit()


def token_required(api):
    """The contract describes a daemon with tokens."""
    for item in api["paths"].values():
        for operation in item.values():
            operation["security"] = [s for s in operation["security"] if s]


def schemathesis(daemon, folder, args, token):
    config = folder / "schemathesis.toml"
    contract = folder / "openapi.json"
    api = json.loads((TOP / "proto/openapi.json").read_text())
    if token:
        token_required(api)
    contract.write_text(json.dumps(api))
    auth = f'auth.openapi.token = {{bearer = "{token}"}}' if token else ""
    config.write_text(CONFIG.format(ids=list(range(1, 200)), auth=auth))
    report = folder / "report.ndjson"
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", str(config),
        "run", str(contract), "--url", f"http://127.0.0.1:{daemon.port}",
        "--checks", "all", "--mode", "all", "--max-examples", str(args.examples), "--workers", str(args.workers),
        "--phases", args.phases, "--report", "ndjson", "--report-ndjson-path", str(report),
        "--generation-database", "none", *(["--seed", str(args.seed)] if args.seed else []), *args.rest,
    ]
    status = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent)}).returncode
    return status, report


def cases(report):
    """The answers in the report: how many of each operation, and of each status."""
    operations, statuses = collections.Counter(), collections.Counter()
    with open(report) as lines:
        for line in lines:
            finished = json.loads(line).get("ScenarioFinished")
            if not finished:
                continue
            recorder = finished["recorder"]
            for key, interaction in recorder.get("interactions", {}).items():
                case = recorder["cases"].get(key, {}).get("value", {})
                operations[f"{case['method']} {case['path']}" if case else recorder["label"]] += 1
                response = interaction.get("response")
                statuses[response["status_code"] if response else "none"] += 1
    return operations, statuses


def fuzz(mode, args, kept):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="colconv-fuzz-"))
    tokens = folder / "tokens"
    tokens.write_text(f"root admin {ADMIN}\nreader read {READ}\n")
    tokens.chmod(0o600)
    daemon = Daemon(folder)
    words = {"models": str(daemon.models), "tokens": str(tokens)}
    daemon.start("--slots", "4", "--log-level", "warning", *(o.format(**words) for o in MODES[mode]["options"]))
    token = MODES[mode].get("token")
    stirrer = Stirrer(daemon, ADMIN if token else None)
    for _ in range(8):
        stirrer.submit()
    stirrer.start()
    began = time.monotonic()
    status, report = schemathesis(daemon, folder, args, token)
    seconds = time.monotonic() - began
    stirrer.ended.set()
    stirrer.join()
    ended = daemon.stop() if daemon.process.poll() is None else daemon.process.returncode
    broken = [line for line in daemon.log if "Sanitizer" in line or "runtime error" in line]
    operations, statuses = cases(report)
    print(f"{mode}: {sum(operations.values())} cases, {seconds:.0f} s, schemathesis {status}, daemon {ended}")
    for name, n in sorted(operations.items()):
        print(f"{n:8} {name}")
    print("  ", ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items(), key=str)))
    for line in broken[:20]:
        print(line)
    if kept:
        print(f"   kept: {folder}")
    else:
        shutil.rmtree(folder)
    return sum(operations.values()), status == 0 and ended == 0 and not broken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="random cases of each operation")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--mode", action="append", choices=MODES, help="default: all")
    parser.add_argument("--keep", action="store_true", help="leave the folder with the report")
    parser.add_argument("rest", nargs="*", help="for schemathesis, after --")
    args = parser.parse_args()
    began = time.monotonic()
    results = [fuzz(mode, args, args.keep) for mode in args.mode or MODES]
    good = all(ok for _, ok in results)
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{sum(n for n, _ in results)} cases, {time.monotonic() - began:.0f} s, load {load}: {'passed' if good else 'FAILED'}")
    return not good


if __name__ == "__main__":
    sys.exit(main())
