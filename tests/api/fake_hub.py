#!/usr/bin/env python3
"""A Hugging Face Hub for tests: the endpoints that a download uses, and misbehaviour on demand.

  GET  /api/models/REPO[/revision/REV][?blobs=true]   the commit and the files, with sizes and hashes
  GET  /api/models/REPO/tree/REV                      the same as its own client asks for it
  HEAD, GET /REPO/resolve/REV/FILE                    a small file after a redirect to /api/resolve-cache,
                                                      a large one (LFS) after a redirect to the CDN
  GET  /cdn/SHA256?sig=...                            bytes, with Range

and those of an upload:

  POST /api/repos/create                              409 when it exists
  POST /api/models/REPO/preupload/REV                 how to upload which file, and the hash of the one that is there
  POST /REPO.git/info/lfs/objects/batch               where to put a large file: in one piece, or in parts of hub.part_size
  PUT  /store/SHA256[?part=N]                         its bytes, or those of a part
  POST /store/SHA256, /api/verify/SHA256              all parts are there; the file is right
  POST /api/models/REPO/commit/REV                    the new files, as JSON lines

By hand: fake_hub.py OWNER/NAME=FOLDER... serves folders until it is interrupted.
"""
import base64
import hashlib
import http.server
import json
import pathlib
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse

LFS = (".safetensors", ".bin", "tokenizer.json")
SIGNATURE = "sig=0123456789abcdef"


def git_hash(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class File:
    def __init__(self, name, data, lfs=None):
        self.name, self.data = name, data
        self.lfs = name.endswith(LFS) if lfs is None else lfs
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.oid = git_hash(data)
        self.etag = self.sha256 if self.lfs else self.oid


class Repo:
    """A repository with one commit; `revisions` are the names of that commit. If `token` is not None, reading needs it."""

    def __init__(self, files, revisions=("main",), token=None, gated=False):
        self.files = {name: File(name, data) for name, data in files.items()}
        self.summaries = []
        self.commit_name()
        self.revisions = revisions
        self.token, self.gated = token, gated

    def commit_name(self):
        self.commit = hashlib.sha1("".join(f.name + f.oid for f in self.files.values()).encode()).hexdigest()

    def has(self, revision):
        return revision == self.commit or revision in self.revisions


class Fault:
    """A fault in the next `times` requests whose path matches. The fields are those of Handler.send_file."""

    def __init__(self, pattern, times=1, **what):
        self.pattern, self.times, self.what = re.compile(pattern), times, what


class FakeHub:
    def __init__(self, certificate=None, key=None):
        self.repos, self.renamed, self.faults = {}, {}, []
        self.cdn = ""           # prefix of the CDN's addresses; "": this very server
        self.tokens = set()     # all that are valid
        self.readers = set()    # those of them that may not write
        self.store, self.parts = {}, {}  # uploaded: SHA-256 -> bytes; (SHA-256, part) -> bytes
        self.part_size = 1 << 30
        self.requests = []      # (method, path, headers, status)
        self.served = []        # (path, from, to): bytes of files that went out
        self.released = threading.Event()
        self.lock = threading.Lock()
        handler = type("HubHandler", (Handler,), {"hub": self})
        self.server = Server(("127.0.0.1", 0), handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def add(self, name, files, **more):
        """`files` is a folder, or a dict from name to content."""
        if not isinstance(files, dict):
            files = {p.name: p.read_bytes() for p in sorted(pathlib.Path(files).iterdir()) if p.is_file()}
        self.repos[name] = Repo(files, **more)
        return self.repos[name]

    def fault(self, pattern, times=1, **what):
        self.faults.append(Fault(pattern, times, **what))

    def fault_of(self, path):
        with self.lock:
            for f in self.faults:
                if f.times > 0 and f.pattern.search(path):
                    f.times -= 1
                    return f.what
        return {}

    def bytes_of(self, path):
        return sum(to - start for p, start, to in self.served if path in p)

    def file_of(self, sha256):
        for repo in self.repos.values():
            for f in repo.files.values():
                if f.sha256 == sha256:
                    return f
        return None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass # a client that was killed


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub = None

    def log_message(self, format, *args):
        pass

    def log_request(self, code="-", size="-"):
        self.hub.requests.append((self.command, self.path, dict(self.headers), int(code)))

    def do_HEAD(self):
        self.route()

    def do_GET(self):
        self.route()

    def do_POST(self):
        self.write()

    def do_PUT(self):
        self.write()

    # ---- uploads ----

    def write(self):
        fault = self.hub.fault_of(self.path)
        if "drop" in fault:
            self.rfile.read(fault["drop"])
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return None
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "status" in fault:
            return self.send(fault["status"], fault.get("body", b""), **fault.get("headers", {}))
        url = urllib.parse.urlsplit(self.path)
        m = re.fullmatch(r"/store/([0-9a-f]{64})", url.path)
        if m:
            return self.stored(m[1], urllib.parse.parse_qs(url.query).get("part"), body)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.hub.tokens:
            return self.send(401, b"", **{"X-Error-Message": "Invalid credentials in Authorization header"})
        if token in self.hub.readers:
            return self.error(403, "", "You need a token with write permission")
        for pattern, then in ((r"/api/repos/create", self.create), (r"/api/verify/([0-9a-f]{64})", self.verified),
                              (r"/api/models/([^/]+/[^/]+)/preupload/main", self.preupload),
                              (r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.batch),
                              (r"/api/models/([^/]+/[^/]+)/commit/main", self.commit)):
            m = re.fullmatch(pattern, url.path)
            if m and self.command == "POST":
                if then in (self.preupload, self.batch, self.commit) and m[1] not in self.hub.repos:
                    return self.error(404, "RepoNotFound", "Repository not found")
                return then(*m.groups(), body)
        return self.send(404, b"Not found")

    def create(self, body):
        what = json.loads(body)
        name = f"{what['organization']}/{what['name']}"
        if name in self.hub.repos:
            return self.error(409, "", "You already created this model repo")
        token = self.headers["Authorization"].removeprefix("Bearer ")
        self.hub.add(name, {".gitattributes": b"*.onnx filter=lfs"}, token=token if what["visibility"] == "private" else None)
        return self.send_json({"url": f"{self.hub.url}/{name}"})

    def preupload(self, name, body):
        rows = []
        for f in json.loads(body)["files"]:
            assert len(base64.b64decode(f["sample"], validate=True)) == min(f["size"], 512)
            old = self.hub.repos[name].files.get(f["path"])
            lfs = f["path"].endswith((".onnx", "onnx_data", *LFS)) or f["size"] > 10_000_000
            rows.append({"path": f["path"], "uploadMode": "lfs" if lfs else "regular",
                         "shouldIgnore": f["path"].endswith(".ignored"), "oid": old and old.etag})
        self.send_json({"files": rows})

    def batch(self, name, body):
        objects = []
        for o in json.loads(body)["objects"]:
            oid, size = o["oid"], o["size"]
            address = f"{self.hub.url}/store/{oid}"
            header = {}
            if size > self.hub.part_size:
                header["chunk_size"] = str(self.hub.part_size)
                for n in range(-(-size // self.hub.part_size)):
                    header[str(n + 1)] = f"{address}?part={n + 1}"
            actions = {"upload": {"href": address, "header": header}, "verify": {"href": f"{self.hub.url}/api/verify/{oid}"}}
            objects.append(o if oid in self.hub.store else {**o, "actions": actions})
        self.send_json({"transfer": "basic", "objects": objects})

    def stored(self, oid, part, body):
        if self.command == "PUT" and part:
            self.hub.parts[oid, int(part[0])] = body
            return self.send(200, b"", ETag=f'"{git_hash(body)}"')
        if self.command == "POST":
            rows = json.loads(body)["parts"]
            data = [self.hub.parts[oid, row["partNumber"]] for row in rows]
            assert [row["etag"] for row in rows] == [f'"{git_hash(d)}"' for d in data]
            body = b"".join(data)
        if hashlib.sha256(body).hexdigest() != oid:
            return self.send(400, b"BadDigest")
        self.hub.store[oid] = body
        return self.send(200, b"{}")

    def verified(self, oid, body):
        what = json.loads(body)
        good = what["oid"] == oid and len(self.hub.store.get(oid, b"")) == what["size"]
        self.send(200 if good else 404, b"{}")

    def commit(self, name, body):
        repo = self.hub.repos[name]
        lines = [json.loads(line) for line in body.decode().splitlines()]
        assert lines[0]["key"] == "header" and self.headers["Content-Type"] == "application/x-ndjson"
        for line in lines[1:]:
            what = line["value"]
            if line["key"] == "lfsFile":
                repo.files[what["path"]] = File(what["path"], self.hub.store[what["oid"]], lfs=True)
            else:
                repo.files[what["path"]] = File(what["path"], base64.b64decode(what["content"], validate=True), lfs=False)
        repo.summaries.append(lines[0]["value"]["summary"])
        repo.commit_name()
        self.send_json({"success": True, "commitOid": repo.commit, "commitUrl": f"{self.hub.url}/{name}/commit/{repo.commit}",
                        "hookOutput": ""})

    # ---- downloads ----

    def route(self):
        fault = self.hub.fault_of(self.path)
        if "trickled" in fault:
            self.send_response(200)
            self.end_headers()
            return self.trickle(b"{" + b" " * 100000)
        if "status" in fault:
            return self.send(fault["status"], fault.get("body", b"<html>no</html>"), **fault.get("headers", {}))
        path = urllib.parse.urlsplit(self.path).path
        m = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path)
        if m:
            return self.with_repo(m, self.info)
        m = re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path)
        if m:
            return self.with_repo(m, self.tree)
        m = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if m:
            return self.with_repo(m, self.resolve)
        m = re.fullmatch(r"/api/resolve-cache/models/([^/]+/[^/]+)/([^/]+)/(.+)", path)
        if m:
            return self.with_repo(m, self.small, fault)
        m = re.fullmatch(r"/cdn/([0-9a-f]{64})", path)
        f = self.hub.file_of(m[1]) if m else None
        if f:
            return self.send_file(f, fault)
        return self.send(404, b"Not found")

    def error(self, status, code, message):
        self.send(status, json.dumps({"error": message}).encode(), **{"X-Error-Code": code, "X-Error-Message": message})

    def with_repo(self, m, then, *more):
        name, revision = m[1], urllib.parse.unquote(m[2] or "main")
        if name in self.hub.renamed:
            return self.send(307, b"", Location=self.path.replace(name, self.hub.renamed[name], 1))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            return self.send(401, b"", **{"X-Error-Message": "Invalid credentials in Authorization header"})
        repo = self.hub.repos.get(name)
        if not repo or (repo.token and not repo.gated and token != repo.token):
            return self.error(404 if token else 401, "RepoNotFound", "Repository not found")
        if not repo.has(revision):
            return self.error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if repo.gated and then == self.resolve and token != repo.token:
            return self.error(403 if token else 401, "GatedRepo", f"Access to model {name} is restricted")
        return then(name, repo, m[3] if m.re.groups == 3 else None, *more)

    def info(self, name, repo, _):
        siblings = []
        for f in repo.files.values():
            entry = {"rfilename": f.name}
            if "blobs=" in self.path:
                entry.update(size=len(f.data), blobId=f.oid)
                if f.lfs:
                    entry["lfs"] = {"sha256": f.sha256, "size": len(f.data), "pointerSize": 134}
            siblings.append(entry)
        self.send_json({"_id": "1", "id": name, "modelId": name, "sha": repo.commit, "private": False,
                        "gated": "auto" if repo.gated else False, "tags": [], "downloads": 0, "siblings": siblings})

    def tree(self, name, repo, _):
        entries = []
        for f in repo.files.values():
            entry = {"type": "file", "oid": f.oid, "size": len(f.data), "path": f.name}
            if f.lfs:
                entry["lfs"] = {"oid": f.sha256, "size": len(f.data), "pointerSize": 134}
            entries.append(entry)
        self.send_json(entries)

    def resolve(self, name, repo, filename):
        f = repo.files.get(urllib.parse.unquote(filename))
        if not f:
            return self.error(404, "EntryNotFound", "Entry not found")
        about = {"X-Repo-Commit": repo.commit, "X-Linked-Etag": f'"{f.etag}"', "X-Linked-Size": str(len(f.data)),
                 "ETag": f'"{f.etag}"'}
        if f.lfs:
            return self.send(302, b"", Location=f"{self.hub.cdn}/cdn/{f.sha256}?{SIGNATURE}", **about)
        return self.send(307, b"", Location=f"/api/resolve-cache/models/{name}/{repo.commit}/{filename}", **about)

    def small(self, name, repo, filename, fault):
        self.send_file(repo.files[urllib.parse.unquote(filename)], fault, **{"X-Repo-Commit": repo.commit})

    def send_json(self, value):
        self.send(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def send(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def trickle(self, body):
        """Sends a few bytes at intervals, so that it is never silent for long."""
        for i in range(len(body)):
            if self.hub.released.is_set():
                return
            self.wfile.write(body[i:i + 1])
            self.wfile.flush()
            time.sleep(0.05)

    def send_file(self, f, fault, **headers):
        """cut: N bytes, then the end; hold: N bytes, then nothing until hub.released; stall: N bytes, then N seconds of
        silence; trickle: a byte now and then; flip: the byte at N is wrong; length: N bytes more, or less; no_range: the whole file; other_range."""
        data = f.data
        if "flip" in fault:
            n = fault["flip"]
            data = data[:n] + bytes([data[n] ^ 1]) + data[n + 1:]
        if "length" in fault:
            data = data + b"x" * fault["length"] if fault["length"] > 0 else data[:fault["length"]]
        start, status = 0, 200
        m = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if m and "no_range" not in fault:
            start, status = int(m[1]), 206
            if start >= len(data):
                return self.send(416, b"", **{"Content-Range": f"bytes */{len(data)}"})
            if "other_range" in fault:
                start -= 1
        self.send_response(status)
        self.send_header("ETag", f'"{f.etag}"')
        self.send_header("Accept-Ranges", "bytes")
        for name, value in headers.items():
            self.send_header(name, value)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        if "trickle" in fault:
            return self.trickle(data[start:])
        stop = min([len(data)] + [fault[k] for k in ("cut", "hold", "stall") if k in fault])
        self.hub.served.append((self.path, start, max(start, stop)))
        self.wfile.write(memoryview(data)[start:stop])
        self.wfile.flush()
        if "hold" in fault:
            self.hub.released.wait(30)
            self.hub.served.append((self.path, max(start, stop), len(data)))
            self.wfile.write(data[max(start, stop):])
        if "stall" in fault:
            time.sleep(fault.get("seconds", 3))
        if "cut" in fault or "stall" in fault:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True


def main():
    hub = FakeHub()
    for arg in sys.argv[1:]:
        name, folder = arg.split("=", 1)
        hub.add(name, folder)
    print(f"HF_ENDPOINT={hub.url}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
