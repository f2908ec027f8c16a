"""Checks every answer in the API tests against proto/openapi.json: its status, content type and schema."""
import re

import schema

METHODS = {"get", "put", "post", "delete", "patch"}


def operations():
    for path, item in schema.API["paths"].items():
        pattern = re.sub(r"\\\{id\\\}", "[^/]+", re.escape(path))
        pattern = re.compile("^" + re.sub(r"\\\{name\\\}", ".+", pattern) + "$")  # a file may lie in a folder
        for method, operation in item.items():
            if method in METHODS:
                yield method.upper(), path, pattern, operation


OPERATIONS = list(operations())


def find(method, target):
    """Finds the operation of a request; None when the contract does not have it."""
    path = target.partition("?")[0]
    for m, _, pattern, operation in OPERATIONS:
        if m == ("GET" if method == "HEAD" else method) and pattern.match(path):
            return operation
    return None


def check(method, target, answer):
    operation = find(method, target)
    if operation is None:
        assert answer.status in (400, 401, 403, 404, 405), f"{method} {target}: {answer.status} without a contract"
        return
    where = f"{method} {target}: {answer.status}"
    documented = operation["responses"].get(str(answer.status))
    assert documented, f"{where} is not in the contract: {answer.body[:200]}"
    documented = schema.resolve(documented["$ref"], schema.API)[0] if "$ref" in documented else documented
    for name in documented.get("headers", {}):
        assert answer.headers[name] is not None or answer.status != 200, f"{where} lacks the header {name}"
    if method == "HEAD":
        return
    content = documented.get("content", {})
    kind = (answer.headers["Content-Type"] or "").partition(";")[0]
    if not content:
        assert not answer.body, f"{where} has a body"
        return
    assert kind in content, f"{where} is {kind!r}"
    if kind.endswith("json") and "schema" in content[kind] and answer.status != 206:
        found = list(schema.errors(answer.json, content[kind]["schema"], schema.API))
        assert not found, f"{where}:\n" + "\n".join(found)
