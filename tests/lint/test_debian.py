"""What debian/ repeats from the tree is the same there: the version, the licence, and the names of files."""
import os
import re

from test_rooms import SOURCE


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as f:
        return f.read()


def test_version_is_that_of_the_tree():
    version = re.search(r"AC_INIT\(\[colconv\], \[([^]]+)\]\)", read("configure.ac"))[1]
    assert read("debian/changelog").startswith(f"colconv ({version}) ")


def test_licence_is_that_of_the_tree():
    words = re.sub(r"^ \.$", "", read("debian/copyright").rpartition("License: Expat\n")[2], flags=re.M).split()
    assert words == read("LICENSE").partition("authors\n")[2].split()


def test_documents_are_there():
    for name in read("debian/colconvd.docs").split():
        assert os.path.exists(os.path.join(SOURCE, name)), f"debian/colconvd.docs names '{name}', which is not in the tree"
