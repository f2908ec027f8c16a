"""The units, checked by systemd's own tool."""

import re
import shutil
import subprocess

import pytest
from conftest import BUILD, LIMIT, TOP

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze") or not (BUILD / "systemd/colconvd.service").exists(),
                                reason="there is no systemd-analyze, or no unit was made")


def units(folder, gpu):
    """The units, with the program that was built; the drop-in for GPUs on request."""
    service = (BUILD / "systemd/colconvd.service").read_text()
    assert not re.search(r"@\w+@", service)
    (folder / "colconvd.service").write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={BUILD}/colconvd", service, flags=re.M))
    shutil.copy(TOP / "systemd/colconvd.socket", folder)
    if gpu:
        (folder / "colconvd.service.d").mkdir()
        shutil.copy(TOP / "systemd/gpu.conf", folder / "colconvd.service.d")
    return [folder / "colconvd.service", folder / "colconvd.socket"]


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=LIMIT)


@pytest.mark.parametrize("gpu", [False, True])
def test_verify(tmp_path, gpu):
    got = analyze("verify", "--man=no", *units(tmp_path, gpu))
    assert (got.returncode, got.stderr) == (0, "")


@pytest.mark.parametrize("gpu, limit", [(False, 1.5), (True, 1.6)])
def test_exposure(tmp_path, gpu, limit):
    got = analyze("security", "--offline=true", units(tmp_path, gpu)[0])
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", got.stdout)[1])
    assert exposure <= limit, got.stdout


@pytest.mark.skipif(not shutil.which("systemd-sysusers"), reason="there is no systemd-sysusers")
def test_user_and_folders(tmp_path):
    (tmp_path / "etc").mkdir()
    for tool, name in (("systemd-sysusers", "sysusers"), ("systemd-tmpfiles", "tmpfiles")):
        flags = ["--create"] if name == "tmpfiles" else []
        got = subprocess.run([tool, f"--root={tmp_path}", *flags, TOP / f"systemd/{name}.conf"], capture_output=True,
                             text=True, timeout=LIMIT)
        assert got.returncode == 0, got.stderr
    assert re.search(r"^colconv:", (tmp_path / "etc/passwd").read_text(), re.M)
    assert (tmp_path / "run/colconv").is_dir()
    assert (tmp_path / "var/lib/colconv").stat().st_mode & 0o777 == 0o750
