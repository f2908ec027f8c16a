#!/usr/bin/env python3
"""Kills the daemon and its workers, again and again, under a flood of jobs, and counts what went wrong.

  tests/fault/soak.py [--kills 500] [--worker-kills 250] [--clients 8] [--slots 4] [--real-slots 0] [--seed 1]

Clients submit jobs with Idempotency-Keys, and again until they have an answer. One follows the events of all jobs,
and comes back with the last number that it saw; others look whether what is shown of an artifact is whole. In between the
daemon or a worker is killed (SIGKILL) at a random moment, and the daemon started again. Then the queue runs empty, and every
accepted job, its files, its events and the database are gone through. With --real-slots some of the jobs are
conversions by colconv-worker of the checkpoint tests/golden/colqwen2-tiny, the others are fake_worker's.

Ends with one line per figure; exit status 1 when one that must be 0 is not.
COLCONV_BUILD is the folder of the programs; default: the sources.
"""
import argparse
import collections
import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", TOP)).resolve()
ENDED = ("done", "failed", "cancelled")
BROKEN = (OSError, http.client.HTTPException, json.JSONDecodeError)    # what a killed daemon looks like
AHEAD = 40    # jobs accepted and not yet ended, for each client

# What fake_worker does for a job; a kill may come between any two lines.
SCRIPTS = [
    "stage resolve\nstage export\nartifact nonce\nresult\n",
    "stage resolve\nprogress 1 2\nlog hello\nsleep 0.02\nstage export\nprogress 2 2\nartifact nonce\nresult\nsleep 0.02\n",
    "flood 30\nstage resolve\nsleep 0.05\nartifact nonce\nsleep 0.05\nresult\n",
    "stage resolve\nsleep 0.1\nstage export\nartifact nonce\nresult\n",
]

# Figures of things that must not happen.
WRONG = {
    "lost": "jobs that were accepted and are not done at the end",
    "keys_doubled": "Idempotency-Keys with more than one job",
    "ids_reused": "numbers that more than one key was answered with",
    "done_twice": "jobs with more than one `done` among their events",
    "published_twice": "artifacts whose files changed after they were shown",
    "half_visible": "files shown of a job that is not done, or with other bytes than their sha256 says",
    "illegal": "changes of state that spec/states.def does not have",
    "disordered": "events with a number that does not grow, within a stream or over its breaks",
    "events_lost": "events in the database that the stream did not show",
    "events_doubled": "events that the stream showed and the database does not have",
    "litter": "folders below staging/, and artifacts of no job, at the end",
    "crashed": "daemons that ended by themselves",
    "refused": "answers to a submission other than 200 and 202, or 503",
}


def legal_changes():
    """{(state, next state)}, from the table of the daemon."""
    text = (TOP / "daemon/spec/states.def").read_text()
    names = dict(re.findall(r'^STATE\((\w+),\s+"(\w+)"', text, re.M))
    return {(names[a], names[b]) for a, b in re.findall(r"^FSM\((\w+),\s*\w+,\s*(\w+)\)", text, re.M)}


class Connection(http.client.HTTPConnection):
    """A connection over a Unix socket: nobody else can take its address while the daemon is down."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    def __init__(self, folder, slots, real_slots):
        self.folder, self.state = folder, folder / "state"
        self.log = open(folder / "log", "wb")
        self.socket = folder / "socket"
        config = [f"state = {self.state}", f"listen = unix:{self.socket}", f"worker = {BUILD}/tests/api/fake_worker",
                  f"port_file = {folder}/port", f"runner = fake {slots}", "stop_grace = 1", "replay_max = 1000000"]
        if real_slots:
            real = folder / "real"
            real.write_text(f"#!/bin/sh\nexec '{BUILD}/colconv-worker'\n")
            real.chmod(0o755)
            config.append(f"runner = real {real_slots} {real}")
        (folder / "conf").write_text("\n".join(config) + "\n")

    def start(self):
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen([BUILD / "colconvd", "--config", self.folder / "conf"], stderr=self.log)
        end = time.monotonic() + 60
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the daemon does not start; see {self.folder}/log")
            time.sleep(0.002)

    def kill(self):
        """Returns False when it was already dead."""
        alive = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        return alive

    def workers(self):
        pid = self.process.pid
        try:
            return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def connect(self):
        return Connection(self.socket)

    def ask(self, method, path, body=None, headers={}):
        """(status, parsed or bytes)"""
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
            return response.status, json.loads(data) if "json" in (response.headers["Content-Type"] or "") else data
        finally:
            connection.close()


class Soak:
    def __init__(self, args, folder):
        self.args = args
        self.random = random.Random(args.seed)
        self.daemon = Daemon(folder, args.slots, args.real_slots)
        self.models = [self.model(folder / f"model{i}", script) for i, script in enumerate(SCRIPTS)]
        self.accepted = {}                        # key: id, from a 202 or 200
        self.states = {}                          # job: its last state in the stream
        self.seen = []                            # numbers of events, as they came
        self.hashes = {}                          # job: [(file, sha256)], as they were first shown
        self.count = collections.Counter({name: 0 for name in WRONG})
        self.examples = collections.defaultdict(list)
        self.lock = threading.Lock()
        self.submitting, self.watching = True, True
        self.legal = legal_changes()

    def model(self, folder, script):
        shutil.copytree(TOP / "tests/golden/colqwen2-tiny", folder, ignore=shutil.ignore_patterns("case-*"))
        (folder / "script").write_text(script)
        return str(folder)

    def wrong(self, what, example):
        with self.lock:
            self.count[what] += 1
            self.examples[what].append(example)

    # A client.

    def submit(self, key, model):
        """Submits until there is an answer; returns the id."""
        body = json.dumps({"model": model, "parity": False, "attempts": 10, "labels": {"key": key}})
        while True:
            try:
                status, job = self.daemon.ask("POST", "/v1/jobs", body, {"Idempotency-Key": key})
            except BROKEN:
                time.sleep(0.01)
                continue
            if status in (200, 202):
                return job["id"]
            if status != 503:
                self.wrong("refused", (key, status, job))
                return None
            time.sleep(0.1)

    def client(self, number):
        rng = random.Random(f"{self.args.seed}/{number}")
        n = 0
        while self.submitting:
            if len(self.accepted) - self.ended() > AHEAD * self.args.clients:
                time.sleep(0.01)
                continue
            key, model = f"{number}-{n}", rng.choice(self.models)
            n += 1
            job = self.submit(key, model)
            if job is None:
                continue
            self.accepted[key] = job
            if rng.random() < 0.1 and self.submit(key, model) not in (job, None):
                self.wrong("keys_doubled", key)

    def ended(self):
        return sum(state in ENDED for state in list(self.states.values()))

    # The one who follows all events.

    def event(self, number, name, data):
        if number is not None:
            if self.seen and number <= self.seen[-1]:
                self.wrong("disordered", (self.seen[-1], number))
            self.seen.append(number)
        if name != "state":
            return
        job, state = data["job"], data["state"]
        before = self.states.get(job)
        if before is None and state != "queued" or before and (before, state) not in self.legal:
            self.wrong("illegal", (job, before, state))
        self.states[job] = state

    def follow(self):
        """Follows one stream until it breaks. The first one begins before any job exists."""
        connection = self.daemon.connect()
        connection.timeout = 5
        connection.request("GET", "/v1/events", headers={"Last-Event-ID": str(self.seen[-1] if self.seen else 0)})
        event = {}
        for line in connection.getresponse():
            line = line.decode().rstrip("\n")
            key, colon, value = line.partition(": ")
            if line and colon and key:
                event[key] = value
            elif not line and event:
                if event["event"] == "ready":
                    self.wrong("events_lost", "the stream began anew")
                elif event["event"] in ("state", "stage"):
                    self.event(int(event["id"]), event["event"], json.loads(event["data"]))
                event = {}
            if not self.watching:
                break
        connection.close()

    def watcher(self):
        while self.watching:
            try:
                self.follow()
            except BROKEN:
                time.sleep(0.01)

    # Those who look at artifacts.

    def check(self, job):
        """Reads the list of files first and the job afterwards, because files may appear in between, but never disappear."""
        status, listed = self.daemon.ask("GET", f"/v1/jobs/{job}/files")
        if status != 200 or not listed["files"]:
            return False
        state = self.daemon.ask("GET", f"/v1/jobs/{job}")[1]["state"]
        if state != "done":
            self.wrong("half_visible", (job, state))
        for file in listed["files"]:
            status, data = self.daemon.ask("GET", f"/v1/jobs/{job}/files/{file['name']}")
            data = data if isinstance(data, bytes) else None
            if status != 200:
                self.wrong("half_visible", (job, file["name"], status))
            elif data is not None and hashlib.sha256(data).hexdigest() != file["sha256"]:
                self.wrong("half_visible", (job, file["name"], "sha256"))
        hashes = [(file["name"], file["sha256"]) for file in listed["files"]]
        if self.hashes.setdefault(job, hashes) != hashes:
            self.wrong("published_twice", job)
        return True

    def checker(self):
        rng = random.Random(self.args.seed + 1)
        while self.watching:
            jobs = list(self.accepted.values())[-200:]
            try:
                if jobs:
                    self.check(rng.choice(jobs))
                else:
                    time.sleep(0.01)
            except BROKEN:
                time.sleep(0.01)

    # The killer, and the end.

    def kills(self):
        what = ["daemon"] * self.args.kills + ["worker"] * self.args.worker_kills
        self.random.shuffle(what)
        for n, victim in enumerate(what):
            time.sleep(self.random.uniform(0, 2 * self.args.pause))
            if self.args.real_slots and n % 25 == 24:    # a conversion needs some time to come to its end
                time.sleep(4)
            if victim == "daemon":
                if not self.daemon.kill():
                    self.wrong("crashed", self.daemon.process.returncode)
                self.count["daemon_kills"] += 1
                self.daemon.start()
            elif workers := self.daemon.workers():
                try:
                    os.kill(self.random.choice(workers), signal.SIGKILL)
                    self.count["worker_kills"] += 1
                except ProcessLookupError:
                    pass

    def wait_empty(self):
        end = time.monotonic() + self.args.limit
        while time.monotonic() < end:
            counts = [len(self.daemon.ask("GET", f"/v1/jobs?limit=1&state={s}")[1]["jobs"]) for s in ("queued", "running")]
            if not any(counts):
                return
            time.sleep(0.1)

    def check_jobs(self):
        by_id = collections.Counter(self.accepted.values())
        self.count["accepted"] = len(self.accepted)
        for job, n in by_id.items():
            if n > 1:
                self.wrong("ids_reused", job)
            state = self.daemon.ask("GET", f"/v1/jobs/{job}")[1].get("state")
            if state != "done" or not self.check(job):
                self.wrong("lost", (job, state))
                continue
            self.count["done"] += 1
            self.count["converted"] += any(name == "config.json" for name, _ in self.hashes[job])

    def check_database(self):
        """After the daemon has stopped, reads its database with another program."""
        with sqlite3.connect(self.daemon.state / "queue.db") as db:
            keys = db.execute("SELECT value, count(*) FROM label WHERE name = 'key' GROUP BY value HAVING count(*) > 1").fetchall()
            for key, _ in keys:
                self.wrong("keys_doubled", key)
            states, dones, stored = {}, collections.Counter(), set()
            for number, job, name, data in db.execute("SELECT id, job, name, data FROM event ORDER BY id"):
                if name in ("state", "stage"):
                    stored.add(number)
                if name != "state":
                    continue
                state = json.loads(data)["state"]
                dones[job] += state == "done"
                if (states.get(job), state) != (None, "queued") and (states.get(job), state) not in self.legal:
                    self.wrong("illegal", (job, states.get(job), state))
                states[job] = state
            for job, n in dones.items():
                if n > 1:
                    self.wrong("done_twice", job)
            jobs = {str(row[0]) for row in db.execute("SELECT id FROM job WHERE state = 'done'")}
        self.count["events"] = len(stored)
        for number in stored - set(self.seen):
            self.wrong("events_lost", number)
        for number in set(self.seen) - stored:
            self.wrong("events_doubled", number)
        litter = os.listdir(self.daemon.state / "staging") + list({*os.listdir(self.daemon.state / "artifacts")} ^ jobs)
        for name in litter:
            self.wrong("litter", name)

    def run(self):
        started = time.monotonic()
        self.daemon.start()
        clients = [threading.Thread(target=self.client, args=(n,)) for n in range(self.args.clients)]
        watchers = [threading.Thread(target=self.watcher)] + [threading.Thread(target=self.checker) for _ in range(2)]
        for thread in clients + watchers:
            thread.start()
        try:
            self.kills()
            self.submitting = False
            for thread in clients:
                thread.join()
            self.wait_empty()
            self.check_jobs()
            newest = max(self.states, default=0)
            end = time.monotonic() + 10
            while self.ended() < len(self.states) and newest and time.monotonic() < end:
                time.sleep(0.05)    # the stream is a moment behind
        finally:
            self.submitting = self.watching = False
            if self.daemon.stop() != 0:
                self.wrong("crashed", self.daemon.process.returncode)
            for thread in clients + watchers:
                thread.join()
        self.check_database()
        self.count["seconds"] = round(time.monotonic() - started)
        return not any(self.count[name] for name in WRONG)

    def report(self):
        for name in ("seconds", "daemon_kills", "worker_kills", "accepted", "done", "converted", "events"):
            print(f"{name:16} {self.count[name]}")
        for name, words in WRONG.items():
            print(f"{name:16} {self.count[name]:<6} {words}")
            for example in self.examples[name][:3]:
                print(f"{'':16} {example}")


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500, help="of the daemon")
    parser.add_argument("--worker-kills", type=int, default=250)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--real-slots", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.15, help="mean seconds between kills")
    parser.add_argument("--limit", type=float, default=900, help="seconds for the queue to run empty at the end")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(words)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="colconv-soak."))
    soak = Soak(args, folder)
    good = soak.run()
    soak.report()
    if good:
        shutil.rmtree(folder)
    else:
        print(f"the daemon's log and state are in {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
