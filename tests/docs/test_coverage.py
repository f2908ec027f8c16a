"""docs/coverage.md says what the program's tables say, and what it calls verified has golden data."""
import json

import pytest

import coverage
from pages import SOURCE


@pytest.fixture(scope="module")
def answer():
    return coverage.models()


def golden_classes():
    """The classes that the checkpoints of tests/golden name."""
    for path in (SOURCE / "tests/golden").glob("*/config.json"):
        yield from json.loads(path.read_text()).get("architectures") or []


def test_the_page_is_that_of_the_tables(answer):
    assert (SOURCE / coverage.PAGE).read_text() == coverage.page(answer), "run tests/docs/coverage.py"


def test_the_list_is_whole(answer):
    names = [r["name"] for r in answer["repositories"]]
    assert len(names) == len({n.lower() for n in names})
    assert sum(r["listed"] for r in answer["repositories"]) == 53


def test_what_is_verified_has_golden_data_of_its_class(answer):
    checked = set(golden_classes())
    assert [r["name"] for r in answer["repositories"] if r["status"] == "verified" and r["class"] not in checked] == []


def test_what_is_converted_has_golden_data_of_its_family(answer):
    families = {c["class"]: m["architecture"] for m in answer["models"] for c in m["classes"]}
    checked = {families.get(c) for c in golden_classes()}
    assert {r["architecture"] for r in answer["repositories"] if r["status"] != "refused"} <= checked


def test_what_is_refused_says_why(answer):
    """The words are those of unsupported.def: a class that is in neither table is a mistake of a row."""
    rows = (SOURCE / "daemon/spec/unsupported.def").read_text()
    assert [r["name"] for r in answer["repositories"] if r["status"] == "refused" and f'"{r["detail"]}")' not in rows] == []


def test_a_pair_exists(answer):
    names = {r["name"] for r in answer["repositories"]}
    assert {r["pages"] for r in answer["repositories"] if r["pages"]} <= names


@pytest.mark.parametrize("page, link", [("README.md", "(docs/coverage.md)"), ("docs/models.md", "(coverage.md)")])
def test_it_is_linked(page, link):
    assert link in (SOURCE / page).read_text()
