"""Access control: tokens, sockets, hosts, browser pages, and the folders that jobs may read."""
import contextlib
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest
from conftest import BUILD, LIMIT, SUCCESS, TOP, Daemon, wait_until
from test_runners import children

TOKENS = {"reader": ("read", "r" * 16), "ci": ("submit", "s" * 64), "root": ("admin", "~!#$%&'()*+,-./" + "a" * 241)}
SCOPES = ["none", "read", "submit", "admin"]
ROUTES = re.findall(r'^ROUTE\((\w+), *"([^"]+)", *\w+, *\w+, *(\w+)\)', (TOP / "daemon/http/api/routes.def").read_text(), re.M)
PROTECTED = "/v1/jobs"


def tokens_file(folder):
    path = folder / "tokens"
    path.write_text("# who may call\n" + "".join(f"{n} {s} {t}\n" for n, (s, t) in TOKENS.items()))
    path.chmod(0o600)
    return str(path)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access")
    daemon = Daemon(folder)
    daemon.sock = folder / "sock"
    daemon.start("--tokens", tokens_file(folder), "--roots", "/", "--listen", f"unix:{daemon.sock}")
    yield daemon
    assert daemon.stop() == 0
    log = "\n".join(daemon.log)
    assert "Sanitizer" not in log and "runtime error" not in log
    assert not any(token in log for _, token in TOKENS.values())


@pytest.fixture
def daemon_with_tokens(stopped):
    return stopped.start("--tokens", tokens_file(stopped.folder), "--roots", "/")


def bearer(name):
    return {"Authorization": f"Bearer {TOKENS[name][1]}"}


def unix_raw(path, data):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(str(path))
        s.sendall(data)
        back = b""
        while chunk := s.recv(65536):
            back += chunk
        return back


def unix_request(daemon, method, path, *headers):
    """The status and the document."""
    lines = [f"{method} {path} HTTP/1.1", "Host: anything.example", "Connection: close", *headers]
    back = unix_raw(daemon.sock, "\r\n".join([*lines, "", ""]).encode())
    head, _, body = back.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_the_routes_have_the_scopes_of_the_contract():
    api = json.loads((TOP / "proto/openapi.json").read_text())["paths"]
    assert len(ROUTES) > 9
    for method, path, scope in ROUTES:
        if path in api:
            assert api[path][method.lower()]["x-scope"] == scope.lower(), path


@pytest.mark.parametrize("method, path, scope", ROUTES)
def test_every_route_asks_for_its_scope(guarded, method, path, scope):
    url = path.replace("{id}", "99").replace("{name}", "x")
    answer = guarded.request(method, url)
    if scope == "NONE":
        assert answer.status not in (401, 403)
        assert guarded.request(method, url, None, {"Authorization": "Bearer nonsense"}).status not in (401, 403)
        return
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="colconv"'
    assert f"'{scope.lower()}'" in answer.json["detail"]
    for name, (has, _) in TOKENS.items():
        if SCOPES.index(has) < SCOPES.index(scope.lower()):
            answer = guarded.request(method, url, "{}", bearer(name))
            assert (answer.status, answer.json["code"]) == (403, "not_allowed")
            assert answer.json["detail"] == f"the token '{name}' has the scope '{has}'; this request needs '{scope.lower()}'"
        elif "events" not in path:
            assert guarded.request(method, url, None, bearer(name)).status not in (401, 403)


R = TOKENS["reader"][1]


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": R},
    {"Authorization": f"Basic {R}"}, {"Authorization": "Basic cmVhZGVyOnJycnJycnJycnJycnJycnI="}, {"Authorization": f"Token {R}"},
    {"Authorization": f"Bearer{R}"}, {"Authorization": f"Bearer={R}"}, {"Authorization": f"Bearer: {R}"},
    {"Authorization": f"Bearer {R[:-1]}"}, {"Authorization": f"Bearer {R}r"}, {"Authorization": f"Bearer {R.upper()}"},
    {"Authorization": f'Bearer "{R}"'}, {"Authorization": f"Bearer {R},"}, {"Authorization": f"Bearer {R} {R}"},
    {"Authorization": f"Bearer x {R}"}, {"Authorization": "Bearer reader"}, {"Authorization": f"Bearer reader read {R}"},
    {"Authorization": "Bearer %72" + R[1:]}, {"Authorization": "Bearer *"}, {"Authorization": "Bearer " + "x" * 4000},
    {"Authorization": f"Bearer x, Bearer {R}"}, {"Proxy-Authorization": f"Bearer {R}"}, {"X-Authorization": f"Bearer {R}"},
    {"Cookie": f"token={R}; Authorization=Bearer {R}"}, {"X-Api-Key": R}, {"X-Forwarded-For": "127.0.0.1"},
    {"X-Original-URL": "/healthz"}, {"X-Rewrite-URL": "/healthz"}, {"X-HTTP-Method-Override": "OPTIONS"},
])
def test_no_way_in_by_headers(guarded, headers):
    answer = guarded.request("GET", PROTECTED, None, headers)
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert R not in answer.json["detail"]


@pytest.mark.parametrize("path", [
    f"/v1/jobs?token={R}", f"/v1/jobs?access_token={R}", f"/v1/jobs?Authorization=Bearer%20{R}", f"/v1/jobs#{R}", "/v1/%6aobs", "/v1%2fjobs",
    "/%76%31/%6A%6F%62%73", "/v1/jobs?/healthz", "/v1/jobs?",
])
def test_another_spelling_of_a_path_asks_for_the_same(guarded, path):
    assert guarded.get(path).status in (401, 404)
    assert guarded.post(path, {"model": "/m"}).status in (401, 404)


@pytest.mark.parametrize("path", [
    "//v1/jobs", "/v1//jobs", "/v1/jobs/", "/V1/jobs", "/v1/./jobs", "/healthz/../v1/jobs", "/v1/jobs%00", "/v1/jobs%00/healthz", "/healthz%00",
    "/v1/jobs;x", "/v1/jobs%3f", "/v1/jobs%20", "/v1/jobs%0a", "\\v1\\jobs", "/v1/j%c3%b6bs", "http://localhost/v1/jobs", "/%2e%2e/v1/jobs", "*",
])
def test_a_path_that_is_none(guarded, path):
    for headers in {}, bearer("root"):
        assert guarded.request("GET", path, None, headers).status == 404


def test_other_methods_tell_nothing(guarded):
    answer = guarded.request("HEAD", PROTECTED)
    assert (answer.status, answer.body) == (401, b"")
    for method in "OPTIONS", "TRACE", "PROPFIND", "get", "POSTX", "PUT", "PATCH":
        answer = guarded.request(method, PROTECTED)
        assert answer.status == 405
        assert not any(h.lower().startswith("access-control") for h in answer.headers)


@pytest.mark.parametrize("lines", [
    [f"Authorization: Bearer {R}", f"Authorization: Bearer {R}"], ["Authorization: Bearer x", f"Authorization: Bearer {R}"],
    [f"authorization: Bearer {R}", "AUTHORIZATION: Bearer x"], [f"Authorization: Bearer {R}\0"], [f"Authorization: Bearer {R}\0x"],
    [f"Authorization : Bearer {R}"], [f"Authorization\0: Bearer {R}"], [f"Authorization: Bearer\n {R}"], ["X: a\n Authorization: Bearer " + R],
    [f"Authorization: Bearer\x0b{R}"], [f"Authorization: Bearer {R}\x01"],
])
def test_no_way_in_by_odd_lines(guarded, lines):
    back = guarded.raw("\r\n".join([f"GET {PROTECTED} HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]).encode())
    status = int(back.split()[1])
    assert status in (400, 401), back


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_the_way_in(guarded, scheme):
    assert guarded.request("GET", PROTECTED, None, {"Authorization": scheme + R}).status == 200
    assert guarded.request("GET", PROTECTED, None, {"Authorization": scheme + R, "Host": "box.example:8470"}).status == 200


def test_refused_with_a_body_the_connection_goes_on(guarded):
    connection = guarded.connect()
    for headers, status in ({}, 401), (bearer("reader"), 403), (bearer("ci"), 400):
        connection.request("POST", PROTECTED, "{" + " " * 100000 + "}", headers)
        sock = connection.sock
        response = connection.getresponse()
        response.read()
        assert response.status == status and connection.sock is sock
    connection.close()


def test_a_job_has_the_name_of_its_token(daemon_with_tokens):
    daemon = daemon_with_tokens
    answer = daemon.request("POST", PROTECTED, json.dumps({"model": daemon.model("hang\n")}), bearer("ci"))
    assert (answer.status, answer.json["owner"]) == (202, "ci")


def test_tokens_are_read_again(daemon_with_tokens):
    """SIGHUP: a token that was removed from the file stops working at once, and its open stream ends."""
    daemon = daemon_with_tokens
    path = daemon.folder / "tokens"
    stream = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=LIMIT)
    stream.request("GET", "/v1/events", headers=bearer("reader"))
    response = stream.getresponse()
    assert response.status == 200

    def reload(text, words):
        path.write_text(text)
        seen = len(daemon.log)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until("the file is read", lambda: any(words in line for line in daemon.log[seen:]))

    reload("ci submit " + "n" * 16 + "\n", "were read again")
    response.read()
    stream.close()
    assert daemon.request("GET", PROTECTED, None, bearer("reader")).status == 401
    assert daemon.request("GET", PROTECTED, None, bearer("ci")).status == 401
    assert daemon.request("GET", PROTECTED, None, {"Authorization": "Bearer " + "n" * 16}).status == 200
    reload("ci submit short\n", "stay as they are")
    assert daemon.request("GET", PROTECTED, None, {"Authorization": "Bearer " + "n" * 16}).status == 200


def test_requests_that_wait_are_answered_when_tokens_change(daemon_with_tokens):
    daemon = daemon_with_tokens
    body = json.dumps({"model": daemon.model("hang\n")})
    job = daemon.request("POST", "/v1/jobs", body, bearer("ci")).json["id"]
    waiting = daemon.connect()
    waiting.request("GET", f"/v1/jobs/{job}?wait=300", headers=bearer("reader"))
    (daemon.folder / "tokens").write_text("ci submit " + "n" * 16 + "\n")
    daemon.process.send_signal(signal.SIGHUP)
    assert waiting.getresponse().status in (200, 401)  # 401: the signal was faster
    waiting.close()


def test_tokens_cannot_go_while_other_hosts_call(stopped):
    stopped.config.write_text(f"tokens = {tokens_file(stopped.folder)}\nroots = /\nlisten = 0.0.0.0:0\n")
    own = stopped.command
    stopped.command = lambda: [o for o in own() if o not in ("--listen", "127.0.0.1:0")]
    stopped.start()
    stopped.config.write_text("listen = 0.0.0.0:0\n")
    stopped.process.send_signal(signal.SIGHUP)
    wait_until("the file is read", lambda: any("stay as they are" in line for line in stopped.log))
    assert stopped.get(PROTECTED).status == 401


def test_a_unix_socket_asks_nobody(guarded):
    """The socket's mode decides who may connect. A token that is sent is checked anyway."""
    assert guarded.sock.stat().st_mode & 0o777 == 0o660
    assert unix_request(guarded, "GET", PROTECTED)[0] == 200
    assert unix_request(guarded, "POST", "/v1/jobs/99/cancel")[0] == 404
    assert unix_request(guarded, "GET", PROTECTED, "Authorization: Bearer nonsense")[0] == 401
    assert unix_request(guarded, "GET", PROTECTED, f"Authorization: Bearer {R}")[0] == 200
    assert unix_request(guarded, "POST", "/v1/jobs/99/cancel", f"Authorization: Bearer {R}")[0] == 403


def check(*options, **more):
    return subprocess.run([BUILD / "colconvd", *options, "--check-config"], capture_output=True, text=True, timeout=LIMIT, **more)


def test_addresses_of_other_hosts_need_tokens(tmp_path):
    tokens = tokens_file(tmp_path)
    for address in "0.0.0.0:0", "[::]:0", "192.0.2.1:8470", "[2001:db8::1]:8470":
        got = check("--listen", address)
        assert got.returncode == 4
        assert f"address '{address}' is reached from other hosts, and there are no tokens" in got.stderr
        assert check("--listen", address, "--tokens", tokens, "--roots", "/").returncode == 0


@pytest.mark.parametrize("address, family, host", [
    ("0.0.0.0:0", socket.AF_INET, "127.0.0.1"), ("[::]:0", socket.AF_INET6, "::1"),
])
def test_all_addresses(stopped, address, family, host):
    with contextlib.suppress(OSError), socket.socket(family) as probe:
        probe.bind((host, 0))
        stopped.command = lambda *options, command=stopped.command: ["--listen" if o == "--listen" else address if o == "127.0.0.1:0" else o
                                                                       for o in command(*options)]
        stopped.start("--tokens", tokens_file(stopped.folder), "--roots", "/")
        connection = http.client.HTTPConnection(host, stopped.port, timeout=LIMIT)
        connection.request("GET", PROTECTED)
        assert connection.getresponse().status == 401
        connection.close()
        return
    pytest.skip(f"there is no {host} here")


def test_tokens_that_are_refused(tmp_path):
    path = tmp_path / "tokens"
    got = check("--tokens", str(path))
    assert got.returncode == 2 and f"tokens '{path}': cannot open" in got.stderr
    path.write_text("ci submit secretsecretsecret\n")
    path.chmod(0o644)
    got = check("--tokens", str(path))
    assert got.returncode == 2 and "set its mode to 0600, not 0644" in got.stderr
    path.chmod(0o600)
    path.write_text("ci submit secretsecretsecret\nci2 write secretsecretsecret2\n")
    got = check("--tokens", str(path))
    assert got.returncode == 2 and f"tokens '{path}': line 2: the scope of 'ci2'" in got.stderr
    assert "secretsecret" not in got.stderr


def test_a_submit_token_needs_roots(tmp_path, stopped):
    """Without roots, the token's owner could convert any folder that the daemon can read. Checked at the start and on a reload."""
    tokens = tmp_path / "tokens-of-others"
    tokens.write_text(f"ci submit {'s' * 32}\n")
    tokens.chmod(0o600)
    got = check("--tokens", str(tokens))
    assert got.returncode == 2 and "roots = /" in got.stderr and "submit" in got.stderr, got.stderr
    assert check("--tokens", str(tokens), "--roots", "/").returncode == 0
    assert check("--tokens", str(tokens), "--roots", str(tmp_path)).returncode == 0
    without_submit = f"boss admin {'a' * 32}\neye read {'r' * 32}\n"
    tokens.write_text(without_submit)
    assert check("--tokens", str(tokens)).returncode == 0

    stopped.config.write_text(f"tokens = {tokens}\n")
    stopped.start()
    tokens.write_text(f"{without_submit}ci submit {'s' * 32}\n")
    stopped.process.send_signal(signal.SIGHUP)

    wait_until("the reload is refused", lambda: any("stay as they are" in line for line in stopped.log))
    stopped.wait_log("scope submit needs the setting roots")
    post = ("POST", "/v1/jobs", json.dumps({"model": "/nowhere"}))
    assert stopped.request(*post, {"Authorization": f"Bearer {'s' * 32}"}).status == 401
    assert stopped.request("GET", PROTECTED, None, {"Authorization": f"Bearer {'r' * 32}"}).status == 200
    stopped.config.write_text(f"tokens = {tokens}\nroots = {tmp_path}\n")
    stopped.process.send_signal(signal.SIGHUP)
    wait_until("the reload is taken", lambda: any("were read again" in line for line in stopped.log))
    post = ("POST", "/v1/jobs", json.dumps({"model": stopped.model(SUCCESS)}))
    assert stopped.request(*post, {"Authorization": f"Bearer {'s' * 32}"}).status == 202


def test_a_worker_cannot_open_the_daemons_own_files(stopped):
    """The worker runs as the daemon's user, so file modes do not protect these files. The test uses a checkpoint among the artifacts."""
    tokens = tokens_file(stopped.folder)
    stopped.start("--worker", str(BUILD / "colconv-worker"), "--tokens", tokens, "--roots", "/")
    closed, beside = stopped.state / "artifacts/closed", stopped.state / "beside"
    for folder in closed, beside:
        shutil.copytree(TOP / "tests/golden/colqwen2-tiny", folder)
    ends = {}
    for model in closed, beside:
        answer = stopped.request("POST", "/v1/jobs", json.dumps({"model": str(model), "parity": False}), bearer("ci"))
        assert answer.status == 202, answer.body
        job = answer.json["id"]
        wait_until("it ends", lambda: stopped.request("GET", f"/v1/jobs/{job}", None, bearer("ci")).json["state"] in ("done", "failed"), 60)
        ends[model] = stopped.request("GET", f"/v1/jobs/{job}", None, bearer("ci")).json
    if any("has no Landlock" in line for line in stopped.log):
        pytest.skip("this kernel has no Landlock")

    assert ends[beside]["state"] == "done", stopped.log
    assert ends[closed]["state"] == "failed"
    assert "Permission denied" in ends[closed]["message"]


def test_tokens_from_a_credential(stopped):
    credentials = stopped.folder / "credentials"
    credentials.mkdir()
    tokens_file(credentials)
    stopped.start("--roots", "/", prefix=["env", f"CREDENTIALS_DIRECTORY={credentials}"])
    assert stopped.get(PROTECTED).status == 401
    assert stopped.request("GET", PROTECTED, None, bearer("reader")).status == 200


@pytest.mark.parametrize("host, status", [
    ("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1", 200), ("127.255.1.2:8470", 200), ("[::1]", 200), ("[::1]:8470", 200), ("localhost:", 200),
    ("evil.example", 403), ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403), ("127.1", 403), ("2130706433", 403), ("0x7f000001", 403),
    ("0.0.0.0", 403), ("[::]", 403), ("[::1", 403), ("[::1]x", 403), ("::1", 403), ("localhost:80x", 403), ("user@localhost", 403), ("", 403),
    ("128.0.0.1", 403), ("[::ffff:127.0.0.1]", 403), ("localhost.", 403), ("local host", 403), ("l" * 300, 403),
])
def test_the_host_that_was_asked_for(daemon, host, status):
    """Without tokens, another host name that resolves to this host is an attack (DNS rebinding)."""
    for path in PROTECTED, "/healthz", "/nothing":
        back = daemon.raw(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert int(back.split()[1]) == (404 if (path, status) == ("/nothing", 200) else status)


@pytest.mark.parametrize("origin, status", [
    ("http://localhost:1", 200), ("https://localhost:1", 200), ("http://localhost", 403), ("http://localhost:2", 403), ("null", 403), ("", 403),
    ("https://example.org", 403), ("file://", 403), ("ftp://localhost:1", 403), ("http://localhost:1/", 403), ("http://localhost:1.evil.example", 403),
    ("localhost:1", 403), ("http://evil@localhost:1", 403), ("http://localhost:1 http://evil.example", 403), ("http://http://localhost:1", 403),
])
def test_pages_of_browsers(daemon, origin, status):
    body = json.dumps({"model": daemon.model(SUCCESS)})
    answer = daemon.request("POST", PROTECTED, body, {"Host": "localhost:1", "Origin": origin})
    assert answer.status == (202 if status == 200 else 403)
    assert not any(h.lower().startswith("access-control") for h in answer.headers)
    assert len(daemon.get(PROTECTED).json["jobs"]) == (status == 200)


def test_two_origins(daemon):
    back = daemon.raw(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil\r\nOrigin: http://localhost\r\n\r\n")
    assert back.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("site, status", [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("x", 403), ("", 403)])
def test_sites_of_browsers(daemon, site, status):
    assert daemon.request("GET", PROTECTED, None, {"Sec-Fetch-Site": site}).status == status
    # A link to what is open to all may be anywhere.
    assert daemon.request("GET", "/healthz", None, {"Sec-Fetch-Site": site}).status == 200
    assert daemon.request("GET", "/healthz", None, {"Sec-Fetch-Site": site, "Origin": "https://evil.example"}).status == 403


def activate(daemon, *sockets):
    """Makes a command that gets these sockets as systemd passes them; here they are closed."""
    def prepare():
        copies = [os.dup(s.fileno()) for s in sockets]
        for i, fd in enumerate(copies):
            os.dup2(fd, 3 + i)
        for fd in copies:
            if fd >= 3 + len(sockets):
                os.close(fd)

    daemon.process = subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS="$0" exec "$@"', str(len(sockets)), *daemon.command()],
                                      stderr=subprocess.PIPE, text=True, close_fds=False, preexec_fn=prepare)
    daemon.reader = threading.Thread(target=daemon.read_log, args=(daemon.process.stderr,))
    daemon.reader.start()


def has_systemd():
    return "sd_listen_fds" in subprocess.run(["nm", "-D", BUILD / "colconvd"], capture_output=True, text=True).stdout


@pytest.mark.skipif(not has_systemd(), reason="built without libsystemd")
def test_sockets_of_systemd(stopped):
    path = stopped.folder / "sock"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        port = tcp.getsockname()[1]
        activate(stopped, tcp, unix)
        wait_until("the daemon listens", lambda: stopped.port_file.exists() or stopped.process.poll() is not None)
    assert stopped.process.poll() is None, stopped.log
    stopped.port = int(stopped.port_file.read_text())
    assert stopped.port == port
    # The worker's environment does not have them: it would take them for its own.
    job = stopped.submit("stage resolve\nhang\n")
    stopped.wait_running(job)
    workers = children(stopped.process.pid)
    assert workers
    for child, _ in workers:
        with open(f"/proc/{child}/environ") as f:
            assert "LISTEN_FDS" not in f.read()
    assert unix_raw(path, b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.")
    assert stopped.stop() == 0
    assert path.exists()  # it is systemd's


@pytest.mark.skipif(not has_systemd(), reason="built without libsystemd")
@pytest.mark.parametrize("make, words", [
    (lambda: socket.create_server(("0.0.0.0", 0)), "is reached from other hosts"),
    (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "is not a listening stream socket"),
    (lambda: socket.socket(socket.AF_INET), "is not a listening stream socket"),
])
def test_sockets_of_systemd_that_are_refused(stopped, make, words):
    with make() as s:
        activate(stopped, s)
    assert stopped.process.wait(LIMIT) != 0
    stopped.reader.join(LIMIT)
    assert any(words in line for line in stopped.log), stopped.log


LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("run_there", [True, False])
def test_where_it_listens_by_default(stopped, run_there):
    """Runs in its own network and its own /run, because the addresses are the host's."""
    mount = 'mount -t tmpfs none /run && { "$0" || mount -o remount,ro /run; } && exec "$@"'
    prefix = ["unshare", "-rmn", "sh", "-c", mount, str(run_there).lower(), sys.executable, "-c", LOOPBACK_UP]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces are allowed here")
    own = stopped.command
    stopped.command = lambda: [o for o in own() if o not in ("--listen", "127.0.0.1:0")]
    stopped.start(prefix=prefix)
    assert stopped.port == 8470
    if run_there:
        path = f"/proc/{stopped.process.pid}/root/run/colconv/colconv.sock"
        assert unix_raw(path, b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.")
    else:
        assert any("/run/colconv" in line and line.endswith(", ignoring") for line in stopped.log), stopped.log


def test_the_folder_of_a_socket_is_made(stopped):
    path = stopped.folder / "run" / "colconv.sock"
    stopped.start("--listen", f"unix:{path}")
    assert path.parent.stat().st_mode & 0o777 == 0o755
    assert unix_raw(path, b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.")


# Folders that jobs may read.

@pytest.fixture
def rooted(stopped):
    """A root with a model, and outside of it a secret that no job may read."""
    stopped.root = stopped.folder / "root"
    (stopped.root / "model").mkdir(parents=True)
    (stopped.root / "model" / "script").write_text(SUCCESS)
    stopped.secret = stopped.folder / "secret"
    stopped.secret.mkdir()
    (stopped.secret / "script").write_text(SUCCESS)
    return stopped.start("--roots", str(stopped.root))


def test_paths_that_lead_out_of_the_roots(rooted):
    root, secret = rooted.root, rooted.secret
    (root / "absolute").symlink_to(secret)
    (root / "relative").symlink_to("../secret")
    (root / "chain").symlink_to("relative")
    (root / "up").symlink_to("..")
    (root / "magic").symlink_to("/proc/self/root" + str(secret))
    (root / "cwd").symlink_to("/proc/self/cwd")
    (root / "loop").symlink_to("loop")
    (root / "file").write_text("")
    paths = [
        "/", "/etc", str(secret), f"{root}/../secret", f"{root}/model/../../secret", f"{root}/./../secret", f"{root}//../secret", f"{root}/absolute",
        f"{root}/relative", f"{root}/chain", f"{root}/up/secret", f"{root}/up", f"{root}/magic", f"{root}/cwd", f"/proc/self/root{root}/model",
        f"/proc/self/cwd{root}/model", f"/proc/{rooted.process.pid}/root{secret}", f"{root}x", f"{root}-other/model", str(root)[:-1], f"{root}/loop",
        f"{root}/none", f"{root}/file", f"//{str(secret)[1:]}", f"{root}/model/" + "../" * 40 + str(secret)[1:], f"{root}/model\\..\\..\\secret",
        f"/dev/fd/3", "/proc/self/fd/3", f"{root}/..", f"{root}/.../x",
    ]
    for path in paths:
        for field, body in ("model", {"model": path}), ("base", {"model": f"{root}/model", "base": path}):
            answer = rooted.post("/v1/jobs", body)
            assert answer.status in (400, 403) and answer.json["field"] == field, (path, answer.json)
        answer = rooted.post("/v1/jobs", {"model": f"{root}/model", "reference": [path + "/script"]})
        assert answer.status in (400, 403) and answer.json["field"] == "reference[0]", (path, answer.json)
    assert rooted.get("/v1/jobs").json["jobs"] == []
    for path in f"{root}/model", f"{root}//model/", f"{root}/./model", f"{root}/model/../model":
        assert rooted.post("/v1/jobs", {"model": path}).status == 202, path


RENAME_EXCHANGE = 2


def test_a_link_that_changes_while_it_is_checked(rooted):
    """A folder that passes the check is below the root, whatever is swapped in afterwards."""
    libc = ctypes.CDLL(None, use_errno=True)
    good, bad = rooted.root / "swap", rooted.root / "bad"
    good.mkdir()
    bad.symlink_to(rooted.secret)
    end = threading.Event()

    def swap():
        while not end.is_set():
            libc.renameat2(-100, bytes(good), -100, bytes(bad), RENAME_EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        statuses = [rooted.post("/v1/jobs", {"model": str(good)}).status for _ in range(200)]
    finally:
        end.set()
        thread.join()
    assert set(statuses) <= {202, 403}


@pytest.fixture
def converting(stopped):
    """The real worker, and a root with a checkpoint in the layout of the Hub's cache: links to blobs of the same repository."""
    stopped.root = stopped.folder / "root"
    blobs = stopped.root / "models--owner--name" / "blobs"
    stopped.checkpoint = blobs.parent / "snapshots" / ("c" * 40)
    blobs.mkdir(parents=True)
    stopped.checkpoint.mkdir(parents=True)
    for i, file in enumerate(p for p in (TOP / "tests/golden/colqwen2-tiny").iterdir() if p.is_file()):
        shutil.copy(file, blobs / str(i))
        (stopped.checkpoint / file.name).symlink_to(f"../../blobs/{i}")
    return stopped.start("--worker", str(BUILD / "colconv-worker"), "--slots", "1", "--roots", str(stopped.root))


def convert(daemon):
    answer = daemon.post("/v1/jobs", {"model": str(daemon.checkpoint), "parity": False})
    assert answer.status == 202, answer.body
    return daemon.wait_end(answer.json["id"])


def test_the_links_of_the_hubs_cache_are_followed(converting):
    assert convert(converting)["state"] == "done"


@pytest.mark.parametrize("name, target", [
    ("config.json", "{secret}"), ("config.json", "../../../../secret"), ("model.safetensors", "../../../../secret"),
    ("tokenizer.json", "{secret}"), ("tokenizer.json", "../../../../secret"), ("tokenizer.json", "/proc/self/root{secret}"),
])
def test_links_of_a_checkpoint_lead_nowhere_else(converting, name, target):
    """Only files below the roots are copied to the artifact or quoted in an error."""
    secret = converting.folder / "secret"
    file = converting.checkpoint / name
    secret.write_bytes(file.read_bytes() if file.exists() else b"{}")
    file.unlink(missing_ok=True)
    file.symlink_to(target.format(secret=secret))
    job = convert(converting)
    assert (job["state"], job["reason"]) == ("failed", "not_allowed"), job
    assert converting.artifacts() == []
