"""GET /v1/jobs/{id}/files?as=tar: read with Python's tarfile and with tar itself."""
import contextlib
import io
import sqlite3
import subprocess
import tarfile

import pytest

from conftest import SUCCESS


def tar_of(daemon, job, method="GET"):
    return daemon.request(method, f"/v1/jobs/{job}/files?as=tar")


def finished(daemon, script=SUCCESS):
    job = daemon.submit(script)
    assert daemon.wait_end(job)["state"] == "done"
    return job


@pytest.mark.parametrize("size", [0, 511, 512, 513, 65536, 3_000_001])
def test_the_files_are_those_of_the_list(daemon, tmp_path, size):
    job = finished(daemon, SUCCESS.replace("artifact\n", f"artifact {size}\n"))
    answer = tar_of(daemon, job)
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/x-tar"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="colconv-{job}.tar"'
    assert int(answer.headers["Content-Length"]) == len(answer.body) and len(answer.body) % 512 == 0
    listed = {f["name"]: f["size"] for f in daemon.get(f"/v1/jobs/{job}/files").json["files"]}
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        members = tar.getmembers()
        assert {m.name: m.size for m in members} == {f"colconv-{job}/{name}": n for name, n in listed.items()}
        for m in members:
            assert (m.isreg(), m.mode, m.uid, m.uname) == (True, 0o644, 0, "") and m.mtime > 1_600_000_000
            name = m.name.partition("/")[2]
            assert tar.extractfile(m).read() == daemon.get(f"/v1/jobs/{job}/files/{name}").body
    (tmp_path / "a.tar").write_bytes(answer.body)
    out = subprocess.run(["tar", "-xvf", "a.tar"], cwd=tmp_path, capture_output=True, text=True)
    assert out.returncode == 0 and out.stderr == "" and len(out.stdout.splitlines()) == len(listed)
    assert (tmp_path / f"colconv-{job}/model.onnx_data").stat().st_size == listed["model.onnx_data"]
    head = tar_of(daemon, job, "HEAD")
    assert (head.status, head.body) == (200, b"") and head.headers["Content-Length"] == answer.headers["Content-Length"]
    assert tar_of(daemon, job).body == answer.body, "the same bytes again"


def test_long_names_and_sizes_beyond_a_header(stopped):
    """A name of 255 bytes in a folder, and a file of 9 GiB, of which only the headers are read here."""
    stopped.start()
    job = finished(stopped)
    assert stopped.stop() == 0
    folder = stopped.state / "artifacts" / str(job)
    long = "d" * 120 + "/" + "\u00e9" * 120
    (folder / long).parent.mkdir()
    (folder / long).write_bytes(b"deep")
    for name, digits in ("a" * 77, 77), ("b" * 87, 87), ("c" * 91, 91), ("d" * 92, 92):  # around 100 and 100 of a line
        (folder / name).write_bytes(b"x" * digits)
    with open(folder / "zz.huge", "wb") as f:
        f.truncate(9 << 30)
    names = {long: 4, "a" * 77: 77, "b" * 87: 87, "c" * 91: 91, "d" * 92: 92, "zz.huge": 9 << 30}
    with contextlib.closing(sqlite3.connect(stopped.state / "queue.db")) as db, db:
        db.executemany("INSERT INTO file VALUES (?, ?, ?, ?)", [(job, n, s, "0" * 64) for n, s in names.items()])
    stopped.start()
    connection = stopped.connect()
    connection.request("GET", f"/v1/jobs/{job}/files?as=tar")
    response = connection.getresponse()
    assert response.status == 200 and int(response.headers["Content-Length"]) > 9 << 30
    found = {}
    with tarfile.open(fileobj=response, mode="r|") as tar:
        for m in tar:
            found[m.name.partition("/")[2]] = m.size
            if m.name.endswith("zz.huge"):
                break
    assert {n: s for n, s in found.items() if n in names} == names
    connection.close()
    assert stopped.get("/healthz").status == 200


def test_what_has_no_tar(daemon):
    job = finished(daemon)
    for query, field in ("as=zip", "as"), ("as=", "as"), ("as", "as"), ("as=tar&as=tar", "as"), ("as=tar%00", None), ("form=tar", "form"):
        answer = daemon.get(f"/v1/jobs/{job}/files?{query}")
        assert (answer.status, answer.json["code"], answer.json.get("field")) == (400, "bad_request", field), query
    assert tar_of(daemon, 999).status == 404
    running = daemon.submit("hang\n")
    daemon.wait_running(running)
    assert (tar_of(daemon, running).status, tar_of(daemon, running).json["detail"]) == (404, f"job {running} is running and has no artifact")
    (daemon.state / "artifacts" / str(job) / "text.onnx").write_bytes(b"another length")
    assert (tar_of(daemon, job).status, tar_of(daemon, job).json["code"]) == (500, "mismatch")
    assert daemon.request("DELETE", f"/v1/jobs/{job}/files").status == 204
    assert tar_of(daemon, job).status == 410


def test_a_file_that_shrinks_meanwhile_breaks_the_download(stopped):
    """The length was promised, so the connection ends early: a client must not take it for the whole."""
    daemon = stopped.start()
    job = finished(daemon, SUCCESS.replace("artifact\n", "artifact 60000000\n"))
    connection = daemon.connect()
    connection.request("GET", f"/v1/jobs/{job}/files?as=tar")
    response = connection.getresponse()
    got = len(response.read(1000))
    with open(daemon.state / "artifacts" / str(job) / "model.onnx_data", "r+b") as f:
        f.truncate(1000)
    with pytest.raises(Exception) as end:
        response.read()
    got += len(getattr(end.value, "partial", b""))
    assert got < int(response.headers["Content-Length"])
    assert daemon.get("/healthz").status == 200
