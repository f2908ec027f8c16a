#!/usr/bin/env python3
"""A daemon that only seems: the answers of proto/openapi.json from memory, for work on the page and its tests.

  tests/page/mock.py [--port 8471] [--jobs 5000] [--token TOKEN] [--hostile]

The page is read from the sources at each request: reload and see.
"""
import argparse
import datetime
import http.server
import json
import math
import pathlib
import random
import re
import sys
import threading
import time
import urllib.parse

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(TOP / "tests/api"), str(TOP / "tests/docs")]
import codes  # noqa: E402
import schema  # noqa: E402

PAGE = TOP / "daemon/http/page/web"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;</script><script>alert(2)</script>\u202eevil\u0000"
STAGES = ["resolve", "trace", "export", "reference", "parity"]
ENDED = ("done", "failed", "cancelled")
EDGES = [float(f"{m}e{x}") for x in range(-16, 1) for m in (1, 2, 5)] + [10.0]


def words(field):
    return field.get("enum") or field.get("items", {}).get("enum")


# The contract has the help, the words and the ranges of daemon/spec/fields.def: tests/unit/test_fields compares them.
OPTIONS = {name: words(field) for name, field in schema.job_fields().items() if words(field)}
FIELDS = [{"name": name, "help": field["description"], **({"words": words(field)} if words(field) else {}),
           **{key: field[key] for key in ("minimum", "maximum", "default") if key in field and "default" in field and field.get("type") in ("integer", "array")}}
          for name, field in schema.job_fields().items()]
ERRORS = [{"code": row.name, "status": int(row.http), "retryable": row.again, "meaning": row.meaning, "remedy": row.remedy} for row in codes.codes()]


def policy():
    """The policy that the daemon sends; page.c has it in pieces."""
    text = (TOP / "daemon/http/page/page.c").read_text()
    return "".join(re.findall(r'"([^"]*)"', text[text.index("policy[]"):text.index(";\n\n", text.index("policy[]"))]))


def iso(t):
    return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(t * 1000) % 1000:03}Z"


def counts(rng, middle, wide, n, worst):
    out = [0] * (len(EDGES) + 1)
    for i in range(n):
        x = worst if i == 0 else min(worst, 10 ** rng.gauss(middle, wide))
        out[sum(x >= e for e in EDGES)] += 1
    out[0] += n // 50
    return out


def parity(passed=True, text="text-batch"):
    rng = random.Random(7)
    cases = []
    for name, model, tokens, pixels in (("text-short", "text", 24, None), (text, "text", 180, None), ("image-one", "image", 742, None),
                                        ("image-mixed", "image", 1530, None), ("text-short", "unified", 24, "zeros"), ("text-short", "unified", 24, "none")):
        bad = not passed and name == "image-mixed"
        loss, diff = (3.1e-4, 2.4e-3) if bad else (4.2e-9, 1.7e-6)
        case = {"name": name, "file": f"case-{name}.safetensors", "model": model, "passed": not bad, "seconds": 0.4, "tokens": tokens, "max_abs": diff,
                "mean_abs": 1.1e-7, "rel_l2": 2e-6, "min_cosine": 1 - loss, "mean_cosine": 1 - 1e-12, "nan": 0,
                "cosine_counts": counts(rng, -11, 0.8, tokens, loss), "abs_counts": counts(rng, -7, 0.6, tokens * 16, diff)}
        if pixels:
            case["pixels"] = pixels
        if bad:
            case["message"] = "max abs 0.0024 is above 0.0001"
        cases.append(case)
    original = [[round(8 + 5 * math.exp(-((q - d) % 9) / 2) + rng.random(), 6) for d in range(9)] for q in range(6)]
    onnx = [[s + rng.gauss(0, 1e-3 if not passed else 1e-6) for s in row] for row in original]
    change = max(abs(a - b) for x, y in zip(original, onnx) for a, b in zip(x, y))
    return {"format": "colconv-parity/1", "onnxruntime": "1.30.0", "limits": {"max_abs": 1e-4, "min_cosine": 0.99999}, "edges": EDGES, "cases": cases,
            "ranking": [{"queries_model": "text", "documents_model": "image", "queries": 6, "documents": 9, "max_score_change": change, "tie": 1e-4,
                         "swapped": 0, "kept": True, "min_tau": 1.0, "mean_tau": 1.0, "top1": 1.0, "top5": 1.0, "original": original, "onnx": onnx}],
            "cosine": {"min": 0.9999999, "p1": 0.9999999, "p5": 0.9999999, "median": 1.0, "mean": 1.0},
            "worst": {"max_abs": max(c["max_abs"] for c in cases), "min_cosine": min(c["min_cosine"] for c in cases)}, "passed": passed}


class World:
    """The jobs, their events, and the listening streams."""

    def __init__(self, jobs=40, hostile=False, token=None, live=True):
        self.lock = threading.Condition()
        self.rng = random.Random(1)
        self.token = token
        self.hostile = hostile
        self.jobs = {}
        self.events = []     # numbered
        self.fleeting = []   # progress and removals: (position in both, name, data)
        self.keys = {}
        self.free = 412 * 10**9
        self.streams = 0     # that are open
        self.over = False
        self.started = time.time()
        with self.lock:
            for i in range(jobs):
                self.past(jobs - i)
        if live:
            threading.Thread(target=self.live, daemon=True).start()

    def model(self, n):
        return HOSTILE if self.hostile else ["/srv/models/colqwen2-v1.0-hf", "vidore/colpali-v1.3-hf", "/srv/models/teams/search/colqwen2-lora-2026-11"][n % 3]

    def new(self, spec, t, owner="ci"):
        n = len(self.jobs) + 1
        self.jobs[n] = {
            "id": n, "state": "queued", "spec": {"variants": ["text"], "dtype": "fp32", "storage": "same", "layout": "single", "profile": "default",
                                                 "adapter": "auto", "device": "auto", "outputs": ["embeddings"], "positions": "mrope", "mask_mode": "trained", "dim": 0, "task": "auto", "head": "auto", "labels": {}, "priority": 0, "timeout": None, "attempts": 3, "parity": {}, **spec},
            "owner": HOSTILE if self.hostile else owner, "created": iso(t), "started": None, "ended": None, "attempt": 0, "attempts_max": 3, "cancel_requested": False, "runner": None,
            "waiting": {"for": "slot", "ahead": None, "until": None}, "stage": None, "progress": None, "stages": [], "usage": None,
            "reason": None, "message": None, "result": None, "artifact": None, "event": 0,
        }
        self.state(n, t)
        return n

    def past(self, ago):
        t = time.time() - ago * 97 - 400
        labels = {"team": HOSTILE[:60] if self.hostile else "search"} if ago % 4 == 0 else {}
        n = self.new({"model": self.model(ago), "variants": [["text"], ["text", "image"], ["unified"]][ago % 3], "labels": labels}, t)
        if ago <= 4:
            if ago == 2:
                self.jobs[n].update(waiting={"for": "pause", "ahead": None, "until": iso(time.time() + 90)}, reason="hub_unreachable", attempt=1, message="no answer")
            return
        if ago <= 6:
            return self.begin(n, time.time() - 20)
        self.begin(n, t + 3)
        for i, s in enumerate(STAGES):
            self.stage(n, s, t + 3 + 4 * i)
        state = "failed" if ago % 7 == 0 else "cancelled" if ago % 11 == 0 else "done"
        self.end(n, state, t + 25, ["parity", "bad_checkpoint", "timeout"][ago % 3] if state == "failed" else None)

    def add(self, n, event, data, t):
        self.events.append({"id": len(self.events) + 1, "job": n, "at": iso(t), "event": event, "data": data})
        self.jobs[n]["event"] = len(self.events)
        self.lock.notify_all()

    def state(self, n, t):
        j = self.jobs[n]
        self.add(n, "state", {"job": n, "state": j["state"], "attempt": j["attempt"], "reason": j["reason"], "message": j["message"]}, t)

    def begin(self, n, t):
        j = self.jobs[n]
        j.update(state="running", started=iso(t), attempt=j["attempt"] + 1, runner="gpu0" if n % 2 else "local", waiting=None, stage="resolve")
        self.state(n, t)

    def stage(self, n, s, t):
        self.jobs[n].update(stage=s, progress={"done": 0, "total": 0, "unit": "bytes", "detail": ""})
        self.add(n, "stage", {"job": n, "stage": s, "attempt": self.jobs[n]["attempt"]}, t)
        self.add(n, "log", {"job": n, "line": f"stage {s} begins {HOSTILE if self.hostile else ''}"}, t + 0.1)

    def progress(self, n, done, total, detail):
        j = self.jobs[n]
        j["progress"] = {"done": done, "total": total, "unit": "bytes", "detail": detail}
        self.fleeting.append(("progress", {"job": n, "stage": j["stage"], **j["progress"]}))
        self.lock.notify_all()

    def end(self, n, state, t, reason=None):
        j = self.jobs[n]
        j.update(state=state, ended=iso(t), stage=None, progress=None, waiting=None, reason=reason,
                 message=None if not reason else HOSTILE if self.hostile else f"this is how {reason} sounds in a sentence for a person")
        if j["attempt"]:
            j["usage"] = {"seconds": 22.4, "cpu_seconds": 61.5, "peak_rss_bytes": 412876800}
            j["stages"] = [{"name": s, "seconds": 4.0, "peak_anon_bytes": 9437184 * (i + 1)} for i, s in enumerate(STAGES)]
        if state == "done":
            j["result"] = {"architecture": "ColQwen2ForRetrieval", "parameters": 2208985600, "graphs": [{"variant": v, "file": f"{v}.onnx", "nodes": 3120} for v in j["spec"]["variants"]],
                           "parity_checked": True, "max_abs": 1.7e-6, "min_cosine": 0.9999999958, "warnings": []}
            j["artifact"] = {"files": 4, "bytes": 8876543210, "removed": None, "cached": False, "made_by": j["id"]}
        self.state(n, t)

    def live(self):
        total = 6174015488
        while not self.over:
            time.sleep(0.3)
            with self.lock:
                for n, j in list(self.jobs.items())[-40:]:
                    if j["state"] == "running":
                        p = j["progress"]
                        if j["cancel_requested"]:
                            self.end(n, "cancelled", time.time())
                        elif p and p["total"] and p["done"] >= total:
                            at = STAGES.index(j["stage"])
                            if at == 4:
                                self.end(n, "done", time.time())
                            else:
                                self.stage(n, STAGES[at + 1], time.time())
                        elif p is None:
                            self.stage(n, j["stage"], time.time())
                        else:
                            self.progress(n, min(total, p["done"] + total // 40), total, HOSTILE if self.hostile else f"lm.{self.rng.randrange(28):02}.mlp")
                            self.add(n, "log", {"job": n, "line": f"wrote {p['done']} bytes"}, time.time())

    def doc(self, n, one=True):
        j = json.loads(json.dumps(self.jobs[n]))
        if one and j["waiting"]:
            j["waiting"]["ahead"] = sum(o["state"] == "queued" for o in self.jobs.values() if o["id"] < n)
        return j

    def list(self, q):
        states = ",".join(q.get("state", [])).split(",") if q.get("state") else None
        limit = int(q.get("limit", ["50"])[0])
        last = int(q.get("cursor", ["9999999999"])[0])
        found = []
        for n in sorted(self.jobs, reverse=True):
            j = self.jobs[n]
            if n >= last or (states and j["state"] not in states) or ("model" in q and j["spec"]["model"] != q["model"][0]) or any(
                    x in q and j[x] != q[x][0] for x in ("reason", "owner")):
                continue
            if any(j["spec"]["labels"].get(x.split("=")[0]) != x.split("=", 1)[1] for x in q.get("label", [])):
                continue
            found.append(n)
            if len(found) > limit:
                break
        return {"jobs": [self.doc(n, False) for n in found[:limit]], "next": str(found[limit - 1]) if len(found) > limit else None}

    def status(self):
        states = [j["state"] for j in self.jobs.values()]
        done = states.count("done")
        return {"version": "0.2.0", "started": iso(self.started), "ready": True, "stopping": False,
                "jobs": {s: states.count(s) for s in ("queued", "running", "done", "failed", "cancelled")}, "slots": {"busy": states.count("running"), "total": 3},
                "disk": {"artifacts": done, "artifact_bytes": done * 8876543, "queue_bytes": 5242880, "free_bytes": self.free, "total_bytes": 10**12}, "event": len(self.events)}

    def artifacts(self, q):
        last, limit = int(q.get("cursor", ["9999999999"])[0]), int(q["limit"][0])
        stored = [j for n, j in sorted(self.jobs.items(), reverse=True) if j["artifact"] and not j["artifact"]["removed"] and n < last]
        rows = [{"job": j["id"], "model": j["spec"]["model"], "published": j["ended"], "files": j["artifact"]["files"], "bytes": j["artifact"]["bytes"]} for j in stored[:limit]]
        return {"artifacts": rows, "next": str(rows[-1]["job"]) if len(stored) > limit else None}

    def runners(self):
        run = [j for j in self.jobs.values() if j["state"] == "running"]
        out = []
        for name, slots, command in (("local", 2, []), ("gpu0", 1, ["srun", "--gres=gpu:1"])):
            here = [j["id"] for j in run if j["runner"] == name]
            out.append({"name": name, "slots": slots, "busy": len(here), "command": command, "environment": [], "jobs": here})
        return {"runners": out}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, doc=None, kind="application/json", headers=()):
        body = b"" if doc is None else doc if isinstance(doc, bytes) else json.dumps(doc).encode()
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff"), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, code, detail, field=None):
        doc = {"type": "about:blank", "title": "No", "status": status, "code": code, "detail": detail}
        self.reply(status, {**doc, **({"field": field} if field else {})}, "application/problem+json")

    def page(self, name):
        file = PAGE / name
        if not file.is_file() or "/" in name:
            return self.problem(404, "not_found", "no such file")
        self.reply(200, file.read_bytes(), TYPES[file.suffix], [("Content-Security-Policy", policy()), ("Cache-Control", "no-cache")])

    def stream(self, job=None):
        w = self.server.world
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        last = self.headers["Last-Event-ID"]
        with w.lock:
            n, m = int(last) if last else len(w.events), len(w.fleeting)
        w.streams += 1
        try:
            if last is None:
                self.send("job" if job else "ready", w.doc(job) if job else {}, n)
            while not w.over and not self.server.closing:
                with w.lock:
                    if n >= len(w.events) and m >= len(w.fleeting):
                        w.lock.wait(0.5)
                    new, soon = w.events[n:], w.fleeting[m:]
                    n, m = len(w.events), len(w.fleeting)
                for e in new:
                    if (job is None and e["event"] != "log") or e["job"] == job:
                        self.send(e["event"], {"job": e["job"], **e["data"]}, e["id"])
                for name, data in soon:
                    if job in (None, data["job"]):
                        self.send(name, data)
                if job and w.jobs[job]["state"] in ENDED:
                    return self.send("job", w.doc(job), n)
        except OSError:
            pass
        finally:
            w.streams -= 1

    def send(self, name, data, number=None):
        self.wfile.write((f"id: {number}\n" if number else "").encode() + f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        q = urllib.parse.parse_qs(url.query)
        if url.path == "/":
            return self.page("index.html")
        if url.path.startswith("/page/"):
            return self.page(url.path[6:])
        self.api("GET", url.path, q)

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.api("POST", self.path, {})

    def do_DELETE(self):
        self.api("DELETE", self.path, {})

    def api(self, method, path, q):
        w = self.server.world
        if self.server.closing:  # a connection that outlived its server
            self.close_connection = True
            return None
        if w.token and self.headers["Authorization"] != f"Bearer {w.token}":
            return self.problem(401, "no_token", "a token is needed")
        if path == "/v1/events":
            return self.stream()
        found = re.fullmatch(r"/v1/jobs/([0-9]+)(?:/(\w+)(?:/(.*))?)?", path)
        if found and int(found[1]) not in w.jobs:
            return self.problem(404, "not_found", f"there is no job {found[1]}")
        if found and found[2] == "events":
            return self.stream(int(found[1]))
        with w.lock:
            if found:
                return self.job(w, method, int(found[1]), found[2], q)
            if (method, path) == ("POST", "/v1/jobs"):
                return self.submit(w)
            self.reply(200, {"/v1/jobs": lambda: w.list(q), "/v1/status": w.status, "/v1/runners": w.runners, "/v1/artifacts": lambda: w.artifacts(q),
                             "/v1/models": lambda: {"models": [{"architecture": "colqwen2", "name": "ColQwen2", "variants": ["text", "image", "unified"]}], "options": OPTIONS, "fields": FIELDS},
                             "/v1/errors": lambda: {"errors": ERRORS}}[path]())

    def job(self, w, method, n, what, q):
        j = w.jobs[n]
        if method == "DELETE" and what == "files":
            j["artifact"]["removed"] = iso(time.time())
            return self.reply(204)
        if method == "DELETE":
            if j["state"] not in ENDED:
                return self.problem(409, "conflict", f"job {n} has not ended")
            del w.jobs[n]
            w.fleeting.append(("removed", {"job": n}))
            w.lock.notify_all()
            return self.reply(204)
        if what == "cancel":
            if j["state"] == "queued":
                w.end(n, "cancelled", time.time())
            j["cancel_requested"] = True
        elif what == "retry":
            j.update(state="queued", reason=None, message=None, ended=None, result=None, cancel_requested=False, waiting={"for": "slot", "ahead": None, "until": None})
            w.state(n, time.time())
        elif what == "history":
            after, limit = int(q.get("after", ["0"])[0]), int(q.get("limit", ["50"])[0])
            found = [e for e in w.events[after:] if e["job"] == n]
            return self.reply(200, {"events": found[:limit], "next": str(found[limit - 1]["id"]) if len(found) > limit else None})
        elif what == "files":
            files = [{"name": f, "size": s, "sha256": f"{i:x}" * 64} for i, (f, s) in enumerate(
                [("text.onnx", 812345), ("image.onnx", 1623456), ("model.onnx_data", 8874107409), ("manifest.json", 2345)], 10)]
            if w.hostile:
                files[0]["name"] = "<img src=x onerror=alert(3)>.onnx"
            return self.reply(200, {"files": files})
        elif what == "parity":
            return self.reply(200, parity(j["state"] == "done", HOSTILE if w.hostile else "text-batch"))
        self.reply(200, w.doc(n))

    def submit(self, w):
        body = json.loads(self.body)
        key = self.headers["Idempotency-Key"]
        if key in w.keys:
            return self.reply(200, w.doc(w.keys[key]))
        if not re.match(r"^(/|[\w.-]+/[\w.-]+$)", body.get("model", "")):
            return self.problem(400, "bad_request", "model must be a folder or OWNER/NAME", "model")
        if not isinstance(body.get("priority", 0), int):
            return self.problem(400, "bad_request", "priority must be a whole number", "priority")
        if body.get("labels") and "" in body["labels"].values():
            return self.problem(400, "bad_request", "labels.x must have a value", "labels.x")
        if body.get("parity") and not isinstance(body["parity"].get("max_abs", 0.0), (int, float)):
            return self.problem(400, "bad_request", "parity.max_abs must be a number", "parity.max_abs")
        n = w.new(body, time.time())
        if key:
            w.keys[key] = n
        if "slow" not in body["model"]:
            w.begin(n, time.time())
        self.reply(202, w.doc(n), headers=[("Location", f"/v1/jobs/{n}")])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    closing = False

    def __init__(self, world, port=0):
        self.world = world
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request, client_address):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8471)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--token")
    parser.add_argument("--hostile", action="store_true", help="names and lines that try to be markup")
    args = parser.parse_args()
    server = Server(World(args.jobs, args.hostile, args.token), args.port)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
