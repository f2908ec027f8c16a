"""A short version of the soak test; `make soak` is the long one."""

import soak


def test_kills_lose_nothing():
    assert soak.main(["--kills", "10", "--worker-kills", "3", "--clients", "3", "--slots", "2"]) == 0
