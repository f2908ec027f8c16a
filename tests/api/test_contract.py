"""Compares proto/openapi.json with the table of routes. contract.py checks the answers in all tests."""
import re

import pytest

import contract
import schema
from conftest import TOP, Daemon

ROUTE = re.compile(r'^ROUTE\((\w+),\s*"([^"]+)",\s*\w+,\s*(\w+),\s*(\w+)\)', re.MULTILINE)


@pytest.fixture(scope="module")
def one_daemon(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("contract")).start()
    daemon.wait_end(daemon.submit())
    yield daemon
    assert daemon.stop() == 0


def test_the_routes_are_those_of_the_contract():
    table = (TOP / "daemon/http/api/routes.def").read_text()
    built = {(m, path): (takes == "BODY", scope.lower()) for m, path, takes, scope in ROUTE.findall(table)}
    promised = {(m, path): ("requestBody" in o, o["x-scope"]) for m, path, _, o in contract.OPERATIONS}
    assert built == promised


def test_path_parameters_are_declared():
    for method, path, _, operation in contract.OPERATIONS:
        declared = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
        assert declared == re.findall(r"\{(\w+)\}", path), (method, path)


def test_parameters_are_of_what_takes_them():
    takes = {(m, path): takes for m, path, takes, _ in ROUTE.findall((TOP / "daemon/http/api/routes.def").read_text())}
    for method, path, _, operation in contract.OPERATIONS:
        query = any(p["in"] == "query" for p in operation.get("parameters", []))
        assert (takes[method, path] == "QUERY") == (query or operation["x-scope"] == "none"), (method, path)


def test_the_scope_is_the_role_of_the_token():
    for method, path, _, operation in contract.OPERATIONS:
        scope = operation["x-scope"]
        assert operation["security"] == ([] if scope == "none" else [{"token": [scope]}, {}]), (method, path)


def test_operations_are_named_described_and_grouped():
    tags = {tag["name"] for tag in schema.API["tags"]}
    names = [operation["operationId"] for _, _, _, operation in contract.OPERATIONS]
    assert len(set(names)) == len(names)
    for method, path, _, operation in contract.OPERATIONS:
        assert set(operation["tags"]) <= tags and operation["summary"] and operation["description"], (method, path)


def test_the_contract_has_every_reason_with_its_meaning(one_daemon):
    reason = schema.API["components"]["schemas"]["Reason"]
    errors = one_daemon.get("/v1/errors").json["errors"]
    assert dict(zip(reason["enum"], reason["x-enum-descriptions"], strict=True)) == {e["code"]: e["meaning"] for e in errors}


@pytest.mark.parametrize("method,path", [(m, p) for m, p, _, o in contract.OPERATIONS if o["x-scope"] != "none"])
def test_a_parameter_that_is_not_there_is_refused(one_daemon, method, path):
    path = path.replace("{id}", "1").replace("{name}", "text.onnx")
    answer = one_daemon.request(method, f"{path}?nothing=1", "{}" if path in ("/v1/jobs", "/v1/purge") and method == "POST" else None)
    assert (answer.status, answer.json["field"]) == (400, "nothing")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/", "/page/page.css"])
def test_what_tells_nothing_takes_any_parameter(one_daemon, path):
    assert one_daemon.get(f"{path}?v=1").status == 200


@pytest.mark.parametrize("target,field", [
    ("/v1/jobs/1?wait=1&wait=1", "wait"), ("/v1/jobs/1?after=0&wait=0&after=0", "after"), ("/v1/jobs/1/history?limit=1&limit=2", "limit"),
    ("/v1/jobs/1/log?tail=1&tail=1", "tail"), ("/v1/artifacts?cursor=1&cursor=1", "cursor"), ("/v1/jobs/1?%FF=1", "?"),
])
def test_a_parameter_is_there_once(one_daemon, target, field):
    answer = one_daemon.get(target)
    assert (answer.status, answer.json["field"]) == (400, field)


@pytest.mark.parametrize("target", ["/v1/jobs?model=/a%00b", "/v1/jobs?label=a=%00", "/v1/jobs/1?wait=0%00", "/v1/jobs?%00=1", "/healthz?%00"])
def test_a_nul_is_in_no_parameter(one_daemon, target):
    answer = one_daemon.get(target)
    assert (answer.status, answer.json["detail"]) == (400, "a parameter holds a NUL")


@pytest.mark.parametrize("header", ["Range", "If-Range", "Last-Event-ID"])
def test_headers_that_are_there_once(one_daemon, header):
    back = one_daemon.raw(f"GET /v1/jobs/1/events HTTP/1.1\r\nHost: localhost\r\n{header}: 1\r\n{header}: 1\r\n\r\n".encode())
    assert back.startswith(b"HTTP/1.1 400 ") and f"'{header}' is repeated".encode() in back


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain", "x"])
def test_a_body_is_json_whatever_it_says_that_it_is(one_daemon, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    assert one_daemon.request("POST", "/v1/purge", '{"keep_jobs": 1000, "dry_run": true}', headers).status == 200
    assert one_daemon.request("POST", "/v1/purge", "keep_jobs=1000", headers).status == 400


@pytest.mark.parametrize("body,status", [
    ({"keep_jobs": 5.0}, 200), ({"keep_jobs": 1e3}, 200), ({"keep_jobs": 5.5}, 400), ({"keep_jobs": None}, 400), ({"keep_jobs": True}, 400),
    ({"keep_bytes": 1e19}, 400), ({"dry_run": None}, 400), ({"k" * 62 + "ü": 1}, 400),
])
def test_limits_of_a_purge(one_daemon, body, status):
    answer = one_daemon.post("/v1/purge", {**body, "keep_seconds": 1000})
    assert answer.status == status
    assert status == 200 or answer.json["field"]


@pytest.mark.parametrize("start,status", [("GET /v1/jobs?model=" + "x" * 9000, 414), ("GET /v1/jobs HTTP/1.1\r\nX: " + "x" * 9000, 431)])
def test_what_is_too_long_to_read(one_daemon, start, status):
    """The HTTP library itself answers these, without a content type, so the contract cannot describe them."""
    assert one_daemon.raw(start.encode()).startswith(b"HTTP/1.1 %d " % status)
    assert all(str(status) in operation["responses"] for *_, operation in contract.OPERATIONS)
