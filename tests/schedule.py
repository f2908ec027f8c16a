"""
Distributes pytest's tests over processes (xdist's --dist=loadgroup): each test runs in any free process, but tests
that share a fixture made once for their file, such as a daemon or a browser, stay together.
"""
import pytest


def shares(item):
    return any(fixture.scope == "module" for fixtures in item._fixtureinfo.name2fixturedefs.values() for fixture in fixtures)


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in this hook
def pytest_collection_modifyitems(items):
    for item in items:
        if shares(item):
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
