"""What an operator sees, and what takes things away."""

import pytest

import schema
from conftest import TOP


def test_contract_is_served(daemon):
    answer = daemon.get("/openapi.json")
    assert (answer.status, answer.json) == (200, schema.API)
    assert answer.body == (TOP / "proto/openapi.json").read_bytes()
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("text, status", [
    ("{}", 304), ("*", 304), ('"other", {}', 304), ('"a,b",{} ', 304), ("W/{}", 304), ('"other"', 200), ("", 200),
    ("x{}", 200), (",,", 200),
])
def test_embedded_file_is_not_sent_again(daemon, text, status):
    etag = daemon.get("/openapi.json").headers["ETag"]
    answer = daemon.request("GET", "/openapi.json", headers={"If-None-Match": text.format(etag)})
    assert (answer.status, answer.headers["ETag"]) == (status, etag)
    assert bool(answer.body) == (status == 200)
