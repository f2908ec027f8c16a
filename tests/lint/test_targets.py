"""
A target that depends on `all` depends on no file: `all` builds in a make of its own, and with -j both would compile
the same objects at the same time. Its recipe calls $(MAKE) for the rest.
"""
import os
import re

from test_rooms import SOURCE, tracked

RULE = re.compile(r"^([\w-]+):[ \t]+all[ \t]+(\S.*)$", re.M)


def test_all_is_the_only_prerequisite():
    wrong = []
    for name in tracked("*local.mk", "*Makefile.am"):
        with open(os.path.join(SOURCE, name), encoding="utf-8") as f:
            wrong += [f"{name}: {target} depends on all, and on {more}" for target, more in RULE.findall(f.read())]
    assert not wrong, "\n".join(wrong)
