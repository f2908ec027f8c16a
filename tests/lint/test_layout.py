"""Checks formatting, and that no temporary files are tracked."""
import os
import re
import shutil
import subprocess

import pytest

from test_rooms import SOURCE, tracked

# The layout depends on the formatter's version; this is Debian 12's.
FORMATTER_MAJOR = "14"

# What mkstemp(), editors and builds leave behind.
TEMPORARY = re.compile(r"(^|/)(\.?[^/]*(~|\.swp|\.orig|\.rej|\.tmp|\.o|\.a|\.pyc)|core|(?=[a-z]*[A-Z0-9])(?=\w*[A-Z])(?=\w*[0-9])[a-z]{2}[A-Za-z0-9]{6})$")
MAY_BE_EMPTY = ("__init__.py",)


def formatter():
    for name in ("clang-format-" + FORMATTER_MAJOR, "clang-format"):
        if shutil.which(name):
            version = subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout
            if re.search(rf"version {FORMATTER_MAJOR}\.", version):
                return name
    pytest.skip(f"clang-format {FORMATTER_MAJOR} is not installed")


def complaints(name, text, path):
    """Returns the formatter's complaints about the text of a file at `path`."""
    return subprocess.run([name, "--dry-run", "--Werror", f"--assume-filename={path}"], input=text,
                          capture_output=True, text=True, cwd=SOURCE).stderr


def test_the_formatter_has_nothing_to_change():
    name = formatter()
    files = tracked("*.c", "*.h", "*.cc")
    files = [path for path in files if not path.endswith((".pb-c.c", ".pb-c.h", "config.h"))]
    run = subprocess.run([name, "--dry-run", "--Werror", *files], capture_output=True, text=True, cwd=SOURCE)
    assert run.returncode == 0, "run clang-format -i on these files:\n" + run.stderr[-4000:]


def test_an_unformatted_line_is_seen():
    name = formatter()
    assert complaints(name, "int\nmain(void)\n{\n  return 0;\n}\n", "a.c")
    assert not complaints(name, "int\nmain(void)\n{\n\treturn 0;\n}\n", "a.c")


def is_accident(path, size):
    return bool(TEMPORARY.search(path)) or (size == 0 and os.path.basename(path) not in MAY_BE_EMPTY)


def test_no_file_came_in_by_accident():
    if not os.path.exists(os.path.join(SOURCE, ".git")):
        pytest.skip("not a git checkout")
    odd = [path for path in tracked() if os.path.isfile(os.path.join(SOURCE, path))
           and is_accident(path, os.path.getsize(os.path.join(SOURCE, path)))]
    assert not odd, f"empty or temporary files are tracked: {odd}"


@pytest.mark.parametrize("path, size", [("stjqSP3I", 0), ("daemon/base/buf.c~", 10), ("client/a.o", 9), ("a.txt", 0)])
def test_an_accident_is_seen(path, size):
    assert is_accident(path, size)
