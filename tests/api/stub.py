"""A fake daemon for the client's tests: it speaks proto/api.md and does what the test tells it."""

import hashlib
import http.server
import json
import socketserver
import threading

FILES = {"model.onnx_data": bytes(range(256)) * 4096, "text.onnx": b"graph", "empty.txt": b""}


SPEC = {
    "model": "/srv/models/colqwen2", "base": None, "adapter": "auto", "variants": ["text"], "dtype": "fp32", "target": "portable", "storage": "same",
    "layout": "single", "profile": "default", "reference": [],
    "parity": {"max_abs": 1e-4, "min_cosine": 0.99999, "min_top5": 0.0, "seed": 1}, "device": "auto", "outputs": ["embeddings"], "positions": "mrope", "mask_mode": "trained", "dim": 0, "task": "auto", "head": "auto",
    "labels": {}, "priority": 0, "timeout": None, "attempts": 3, "cache": True,
}
TIME = "2026-01-31T08:00:00.123Z"


def job(state="running", **more):
    doc = {
        "id": 42, "state": state, "spec": SPEC, "owner": None, "created": TIME, "started": None, "ended": None,
        "attempt": 0 if state == "queued" else 1, "attempts_max": 3, "cancel_requested": False, "runner": None,
        "waiting": {"for": "slot", "ahead": 0, "until": None} if state == "queued" else None,
        "stage": None, "progress": None, "stages": [], "usage": None, "reason": None, "message": None, "result": None,
        "artifact": {"files": 3, "bytes": 1048581, "removed": None, "cached": False, "made_by": 42} if state == "done" else None, "event": 1,
    }
    doc.update(more)
    return doc


def event(name, data, number=None):
    """An event of a stream; a client can continue after an event with a `number`."""
    return f"{f'id: {number}' + chr(10) if number else ''}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def state(name, number=None, attempt=1, reason=None, message=None, id=42):
    return event("state", {"job": id, "state": name, "attempt": attempt, "reason": reason, "message": message}, number)


def past(number, name, **data):
    """An event as the history has it."""
    return {"id": number, "job": 42, "at": TIME, "event": name, "data": {"job": 42, **data}}


PARITY = {
    "format": "colconv-parity/1", "onnxruntime": "1.30.0", "limits": {"max_abs": 1e-4, "min_cosine": 0.99999}, "edges": [],
    "cases": [
        {"name": "text-short", "file": "c0", "model": "text", "tokens": 24, "max_abs": 1.5e-6, "mean_abs": 1e-7,
         "rel_l2": 1e-6, "min_cosine": 0.9999999, "mean_cosine": 1.0, "nan": 0, "passed": True, "seconds": 0.1},
        {"name": "text-long", "file": "c1", "model": "text", "passed": False, "seconds": 0.1,
         "message": "the graph does not run\x1b[31m"},
    ],
    "ranking": [{"queries_model": "text", "documents_model": "text", "queries": 4, "documents": 3,
                 "max_score_change": 2e-6, "tie": 1e-5, "swapped": 0, "kept": True, "min_tau": 1.0, "mean_tau": 1.0, "top1": 1.0, "top5": 1.0, "original": [], "onnx": []}],
    "cosine": {"min": 0.9999999, "p1": 1.0, "p5": 1.0, "median": 1.0, "mean": 1.0},
    "worst": {"max_abs": 1.5e-6, "min_cosine": 0.9999999}, "passed": False,
}


PURGED = {"artifacts": [3, 4], "jobs": [1], "bytes": 12345678901, "dry_run": False}
MODELS = {
    "models": [{"architecture": "colqwen2", "name": "ColQwen2", "variants": ["text", "image", "unified"],
                "classes": [{"class": "BiQwen2", "library": "colpali-engine", "heads": ["last-token", "mean"], "backbone": False,
                             "checkpoints": ["a/b", "c/d"], "experimental": None}]}],
    "repositories": [
        {"name": "a/b-v1.0", "architecture": "colqwen2", "class": "BiQwen2", "head": None, "parameters": 2210000000, "width": "1536",
         "listed": False, "status": "verified", "detail": None, "note": "an adapter", "pages": None, "experimental": None},
        {"name": "c/d-v2.0", "architecture": "colqwen2", "class": "BiQwen2", "head": "last-token", "parameters": None, "width": None,
         "listed": True, "status": "unseen", "detail": "its config.json", "note": None, "pages": "a/b-v1.0", "experimental": "experimental: rebuilt"},
        {"name": "e/argus-9b", "architecture": None, "class": "Argus", "head": None, "parameters": 5, "width": "1024",
         "listed": True, "status": "refused", "detail": "its experts", "note": None, "pages": None, "experimental": None}],
    "options": {"dtype": ["fp32", "fp16"], "layout": ["single", "sharded", "embedded"]},
    "fields": [{"name": "dtype", "help": "type of the numbers that the graphs compute with", "words": ["fp32", "fp16"]}],
}
RUNNERS = [
    {"name": "local", "slots": 2, "busy": 1, "command": [], "environment": [], "jobs": [42]},
    {"name": "gpu0", "slots": 1, "busy": 0, "command": ["srun", "--gres=gpu:1"], "environment": ["CUDA_VISIBLE_DEVICES"],
     "jobs": []},
]
STATUS = {
    "version": "9.9", "started": TIME, "ready": True, "stopping": False,
    "jobs": {"queued": 3, "running": 1, "done": 20, "failed": 2, "cancelled": 0}, "slots": {"busy": 1, "total": 3},
    "disk": {"artifacts": 20, "artifact_bytes": 120000000000, "queue_bytes": 4096000, "free_bytes": 500000000000,
             "total_bytes": 1000000000000}, "event": 77,
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        self.disable_nagle_algorithm = isinstance(self.server, TcpServer)
        super().setup()

    def log_message(self, *args):
        pass

    def address_string(self):
        return "client"

    def answer(self, status, doc, kind="application/json", headers=()):
        body = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def nothing(self, status=204):
        self.send_response(status)
        self.end_headers()

    def drop(self):
        """Closes the connection without an answer."""
        self.close_connection = True

    def problem(self, status, code, detail, field=None):
        doc = {"type": "about:blank", "title": "No", "status": status, "code": code, "detail": detail}
        if field:
            doc["field"] = field
        self.answer(status, doc, "application/problem+json")

    def stream_begin(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def events(self, *events):
        self.stream_begin()
        for e in events:
            self.wfile.write(e)
            self.wfile.flush()

    def file(self, content, ranges=True):
        """Sends a file, from the requested byte on."""
        start, wanted = 0, self.headers.get("Range")
        if wanted and ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            return self.answer(206, content[start:], "application/octet-stream",
                               [("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")])
        return self.answer(200, content, "application/octet-stream")

    def file_cut(self, content, length):
        """Sends the beginning of a file, then closes the connection."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:length])
        self.wfile.flush()
        self.close_connection = True

    def handle_any(self):
        stub = self.server.stub
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        stub.requests.append((self.command, self.path, body.decode(), self.headers.get("Range")))
        stub.headers.append(self.headers)
        route = stub.routes.get((self.command, self.path.split("?")[0]))
        if not route:
            return self.problem(404, "not_found", "there is no such route")
        # A list is one answer after the other; the last one stays.
        if isinstance(route, list):
            route = route.pop(0) if len(route) > 1 else route[0]
        return route(self)

    do_GET = do_POST = do_DELETE = handle_any


class Quiet:
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Some tests want a client that disconnects."""


class TcpServer(Quiet, http.server.ThreadingHTTPServer):
    pass


class UnixServer(Quiet, socketserver.ThreadingUnixStreamServer):
    server_name, server_port = "stub", 0


class Stub:
    """`routes` maps (method, path) to a function of the handler, or to a list of them."""

    def __init__(self, unix=None, port=0):
        self.requests = []
        self.headers = []   # of the same requests
        self.routes = {
            ("GET", "/v1/version"): lambda h: h.answer(200, {"version": "9.9", "api": 1}),
            ("GET", "/v1/jobs"): lambda h: h.answer(200, {"jobs": [job(), job("done", id=7)], "next": None}),
            ("POST", "/v1/jobs"): lambda h: h.answer(202, job("queued")),
            ("GET", "/v1/jobs/42"): lambda h: h.answer(200, job()),
            ("POST", "/v1/jobs/42/cancel"): lambda h: h.answer(202, job()),
            ("POST", "/v1/jobs/42/retry"): lambda h: h.answer(200, job("queued", attempt=1)),
            ("DELETE", "/v1/jobs/42"): lambda h: h.nothing(),
            ("DELETE", "/v1/jobs/42/files"): lambda h: h.nothing(),
            ("GET", "/v1/jobs/42/log"): lambda h: h.answer(200, f"{TIME} <6>one\n{TIME} <4>two\n".encode(), "text/plain"),
            ("GET", "/v1/jobs/42/history"): lambda h: h.answer(200, {"events": [], "next": None}),
            ("GET", "/v1/artifacts"): lambda h: h.answer(200, {"artifacts": [
                {"job": 7, "model": "/srv/models/colqwen2", "published": TIME, "files": 3, "bytes": 6174015488}],
                "next": None}),
            ("POST", "/v1/purge"): lambda h: h.answer(200, PURGED),
            ("GET", "/v1/models"): lambda h: h.answer(200, MODELS),
            ("GET", "/v1/runners"): lambda h: h.answer(200, {"runners": RUNNERS}),
            ("GET", "/v1/status"): lambda h: h.answer(200, STATUS),
            ("GET", "/v1/config"): lambda h: h.answer(200, {"slots": 2, "listen": ["127.0.0.1:8470"], "state": "/var/lib"}),
            ("GET", "/v1/jobs/42/parity"): lambda h: h.answer(200, PARITY),
            ("GET", "/v1/jobs/42/events"): lambda h: h.events(event("job", job("done"))),
            ("GET", "/v1/jobs/42/files"): lambda h: h.answer(200, {"files": [
                {"name": n, "size": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in FILES.items()]}),
        }
        for name, content in FILES.items():
            self.routes["GET", f"/v1/jobs/42/files/{name}"] = lambda h, content=content: h.file(content)
        self.server = UnixServer(unix, Handler) if unix else TcpServer(("127.0.0.1", port), Handler)
        self.server.stub = self
        self.port = None if unix else self.server.server_address[1]
        self.url = f"unix:{unix}" if unix else f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def asked(self, method, path):
        return [r for r in self.requests if r[0] == method and r[1].split("?")[0] == path]
