"""proto/openapi.json against the table of routes. What is answered is held against it in every test (contract.py)."""
import re

import contract
from conftest import TOP

ROUTE = re.compile(r'^ROUTE\((\w+),\s*"([^"]+)",\s*\w+,\s*(\w+),\s*(\w+)\)', re.MULTILINE)


def test_the_routes_are_those_of_the_contract():
    table = (TOP / "daemon/http/routes.def").read_text()
    built = {(m, path): (body, scope.lower()) for m, path, body, scope in ROUTE.findall(table)}
    promised = {(m, path): (str("requestBody" in o).lower(), o["x-scope"]) for m, path, _, o in contract.OPERATIONS}
    assert built == promised


def test_path_parameters_are_declared():
    for method, path, _, operation in contract.OPERATIONS:
        declared = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
        assert declared == re.findall(r"\{(\w+)\}", path), (method, path)
