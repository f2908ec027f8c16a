"""
No event lost or doubled: clients that break off anywhere and come back with Last-Event-ID, under a daemon
that is killed and started again, have in the end what /history has.

EVENTS_DISCONNECTS and EVENTS_RESTARTS make it longer, EVENTS_SEED makes other choices (HACKING.md).
"""

import http.client
import json
import os
import random
import threading
import time

from conftest import ENDED

DISCONNECTS = int(os.environ.get("EVENTS_DISCONNECTS", 20))
RESTARTS = int(os.environ.get("EVENTS_RESTARTS", 3))
SEED = int(os.environ.get("EVENTS_SEED", 1))
LIMIT = 100 + 2 * RESTARTS + DISCONNECTS / 5  # s: only a hang takes so long, on a busy machine too


class Watcher(threading.Thread):
    """Collects the numbered events of a job, or of all, until `done` says that these are all."""

    def __init__(self, test, job, seed):
        super().__init__()
        self.test, self.job, self.random = test, job, random.Random(seed)
        self.events = []  # (id, name, data)
        self.last = 0
        self.error = None

    def run(self):
        try:
            while not self.done():
                self.visit()
                time.sleep(self.random.choice((0, 0, 0.3)))  # so that there is more or less to catch up with
        except Exception as e:  # for the thread of the test
            self.error = e

    def done(self):
        assert time.monotonic() < self.test.limit, f"waited too long: {self.job} after {self.last}"
        if self.job:
            return self.events and self.events[-1][1] == "state" and self.events[-1][2]["state"] in ENDED
        return self.last >= self.test.newest

    def visit(self):
        """One connection: until it ends, or breaks off after a random number of bytes, in the middle of an event or not."""
        connection = self.test.daemon.connect()
        left = self.random.choice((0, 100, 1000, 10000, 100000)) + self.random.randrange(200)
        text = b""
        try:
            path = f"/v1/jobs/{self.job}/events" if self.job else "/v1/events"
            connection.request("GET", path, headers={"Last-Event-ID": str(self.last)})
            response = connection.getresponse()
            assert response.status == 200, response.read()
            while left > 0 and not self.done():
                part = response.read1(min(left, 500))
                if not part:
                    return
                left -= len(part)
                *whole, text = (text + part).split(b"\n\n")
                for event in whole:
                    self.take(event.decode())
            self.test.disconnected()
        except (OSError, http.client.HTTPException):  # the daemon was killed
            pass
        finally:
            connection.close()

    def take(self, text):
        fields = dict(line.split(": ", 1) for line in text.split("\n") if not line.startswith(":"))
        if "id" not in fields:
            return
        number, name = int(fields["id"]), fields["event"]
        assert name != "ready", "a replay within its limit began anew"
        if name == "job":
            assert number == self.last
        else:
            self.events.append((number, name, json.loads(fields["data"])))
        self.last = number


class Test:
    """Watchers, workers that say much, and deaths of the daemon."""

    newest = float("inf")  # number of the last event, once it is known

    def disconnected(self):
        with self.lock:
            self.disconnects += 1

    def submit(self, rnd):
        steps = [rnd.choice((f"log {i} {'x' * rnd.randrange(200)}", f"stage s{i}", "progress 1 2", "sleep 0.01"))
                 for i in range(rnd.randrange(20, 80))]
        return self.daemon.submit("\n".join(steps) + "\nartifact\nresult\n")

    def watch(self, job=None):
        watcher = Watcher(self, job, SEED + len(self.watchers))
        watcher.start()
        self.watchers.append(watcher)

    def history(self, job):
        events, after = [], 0
        while after is not None:
            page = self.daemon.get(f"/v1/jobs/{job}/history?after={after}&limit=1000").json
            events += [(e["id"], e["event"], e["data"]) for e in page["events"]]
            after = page["next"]
        return events

    def test_kept(self, stopped):
        options = ("--slots", "4", "--replay-max", "1000000", "--stream-backlog", "4096", "--heartbeat", "1")
        rnd = random.Random(SEED)
        print(f"EVENTS_SEED={SEED}")
        self.limit = time.monotonic() + LIMIT
        self.lock, self.disconnects, self.watchers = threading.Lock(), 0, []
        self.daemon, go = stopped.start(*options), stopped.folder / "go"
        jobs, restarts = [], 0
        for _ in range(2):
            self.watch()
        while restarts < RESTARTS or self.disconnects < DISCONNECTS:
            while sum(w.is_alive() for w in self.watchers) < 8:
                jobs.append(self.submit(rnd))
                self.watch(jobs[-1])
                self.watch(rnd.choice(jobs))  # late, if it is one that runs or has ended
            time.sleep(rnd.random() * 0.3)  # a random moment to kill it at
            if restarts < RESTARTS:
                if restarts == 0:  # one death at least is to meet a job that runs
                    jobs.append(stopped.submit(f"wait_for {go}\nartifact\nresult\n"))
                    stopped.wait_running(jobs[-1])
                stopped.kill()
                go.touch()
                stopped.start(*options)
                restarts += 1
        for job in jobs:
            assert stopped.wait_end(job)["state"] == "done"
        told = {job: self.history(job) for job in jobs}
        self.newest = max(events[-1][0] for events in told.values())
        for watcher in self.watchers:
            watcher.join()
            if watcher.error:
                raise watcher.error
            want = told[watcher.job] if watcher.job else sorted(
                e for events in told.values() for e in events if e[1] != "log")
            assert watcher.events == want
        print(f"{len(jobs)} jobs, {sum(map(len, told.values()))} events, {sum(len(w.events) for w in self.watchers)} "
              f"received by {len(self.watchers)} watchers, {self.disconnects} disconnects, {restarts} restarts")
        assert any(data.get("attempt", 1) > 1 for events in told.values() for _, _, data in events)
