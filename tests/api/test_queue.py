"""The queue as its users see it: filters and pages, idempotency keys, priorities, retries, limits."""

import concurrent.futures
import json
import threading

import pytest
import schema
from conftest import SUCCESS


@pytest.fixture
def blocked(stopped):
    """A daemon whose only slot is taken by job 1, so that new jobs stay queued."""
    stopped.start("--slots", "1")
    stopped.wait_running(stopped.submit("hang\n"))
    return stopped


def ids(daemon, query):
    """The ids on all pages."""
    found, cursor = [], None
    while True:
        page = daemon.get(f"/v1/jobs?{query}" + (f"&cursor={cursor}" if cursor else "")).json
        found += [job["id"] for job in page["jobs"]]
        cursor = page["next"]
        if cursor is None:
            return found


def keyed(daemon, key, body):
    return daemon.request("POST", "/v1/jobs", json.dumps(body), {"Idempotency-Key": key})


def test_filters(blocked):
    blocked.post("/v1/jobs", {"model": "/a", "labels": {"team": "x", "env": "prod"}})
    blocked.post("/v1/jobs", {"model": "/b", "labels": {"team": "x", "odd": "a=b&c,\xe9"}})
    blocked.post("/v1/jobs", {"model": "owner/name", "labels": {"team": "y"}})
    blocked.post("/v1/jobs/4/cancel")
    for query, want in (
        ("", [4, 3, 2, 1]), ("state=queued", [3, 2]), ("state=queued,cancelled", [4, 3, 2]), ("state=queued%2Crunning", [3, 2, 1]),
        ("state=done", []), ("model=/a", [2]), ("model=owner%2Fname", [4]), ("model=/", []), ("label=team=x", [3, 2]),
        ("label=team=x&label=env=prod", [2]), ("label=team%3Dy&state=queued", []), ("label=odd=a%3Db%26c,%C3%A9", [3]),
        ("reason=cancelled", [4]), ("reason=no_such_reason", []), ("owner=ci", []), ("owner=", [4, 3, 2, 1]),
        ("cursor=0", []), ("cursor=3", [2, 1]), ("cursor=9999999999999999999", [4, 3, 2, 1]),
    ):
        assert [job["id"] for job in blocked.get(f"/v1/jobs?{query}").json["jobs"]] == want, query
        if "cursor" not in query:
            assert ids(blocked, f"{query}&limit=1".lstrip("&")) == want, query


@pytest.mark.parametrize("query, field", [
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit", "limit"), ("limit=1&limit=2", "limit"),
    ("cursor=-1", "cursor"), ("cursor=x", "cursor"), ("cursor=", "cursor"), ("cursor=10000000000000000000", "cursor"),
    ("before=5", "before"), ("state=lost", "state"), ("state=", "state"), ("state=done,", "state"), ("state=doneandmuchmore", "state"),
    ("state=done&state=failed", "state"), ("states=done", "states"), ("model=/a&model=/b", "model"),
    ("model=" + 4097 * "x", "model"), ("label=x", "label"), ("label==x", "label"), ("label=x=", "label"), ("label", "label"),
    ("&".join(f"label=l{i}=x" for i in range(17)), "label"), ("reason=", "reason"), ("reason=No", "reason"),
    ("reason=trace&reason=io", "reason"), ("owner=a&owner=b", "owner"), ("%FF=1", "?"),
])
def test_list_refuses(daemon, query, field):
    answer = daemon.get(f"/v1/jobs?{query}")
    assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "bad_request", field)


def test_a_key_makes_one_job(blocked):
    body = {"model": "/m", "labels": {"a": "1", "b": "2"}}
    first = keyed(blocked, "k-1", body)
    again = keyed(blocked, "k-1", {"labels": {"b": "2", "a": "1"}, "model": "/m", "dtype": "fp32"})
    assert (first.status, again.status) == (202, 200)
    assert again.json == {**first.json, "waiting": again.json["waiting"]}
    assert again.headers["Location"] == first.headers["Location"] == "/v1/jobs/2"
    assert first.headers["Idempotency-Replayed"] is None and again.headers["Idempotency-Replayed"] == "true"
    schema.check(again.json, "Job")

    other = keyed(blocked, "k-1", {**body, "dtype": "fp16"})
    assert (other.status, other.json["code"], other.json["field"]) == (422, "key_reused", "Idempotency-Key")
    assert keyed(blocked, "k-2", body).json["id"] == 3
    # As it is now, whatever became of it.
    blocked.post("/v1/jobs/2/cancel")
    assert keyed(blocked, "k-1", body).json["state"] == "cancelled"
    assert blocked.post("/v1/jobs", body).json["id"] == 4


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\xe9", "a\tb"])
def test_bad_keys(daemon, key):
    answer = keyed(daemon, key, {"model": "/m"})
    assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "bad_request", "Idempotency-Key")


def test_two_keys(daemon):
    body = b'{"model": "/m"}'
    back = daemon.raw(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: a\r\nIdempotency-Key: a\r\n"
                      b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert b" 400 " in back.split(b"\r\n")[0] and b'"field":"Idempotency-Key"' in back
    assert keyed(daemon, "x" * 255, {"model": "/m"}).status == 202


def crowd_send(daemon, n, key):
    """Many requests at the same time, which the daemon serves in batches of any size."""
    connections = [daemon.connect() for _ in range(n)]
    for connection in connections:
        connection.request("POST", "/v1/jobs", '{"model": "/m"}', {"Idempotency-Key": key})
    return connections


def crowd_hear(connections):
    answers = []
    for connection in connections:
        response = connection.getresponse()
        answers.append((response.status, json.loads(response.read())["id"]))
        connection.close()
    return answers


def test_a_crowd_with_one_key(blocked):
    answers = crowd_hear(crowd_send(blocked, 1000, "crowd"))
    assert sorted(answers) == [(200, 2)] * 999 + [(202, 2)]
    assert ids(blocked, "state=queued") == [2]


@pytest.mark.parametrize("heard", [0, 1, 500])
def test_a_crowd_with_one_key_across_a_kill(blocked, heard):
    connections = crowd_send(blocked, 1000, "crowd")
    told = {job for _, job in crowd_hear(connections[:heard])}
    blocked.kill()
    for connection in connections:
        connection.close()
    blocked.start("--slots", "1")
    told |= {job for _, job in crowd_hear(crowd_send(blocked, 1000, "crowd"))}
    assert told == {2}
    assert ids(blocked, "model=/m") == [2]


def test_threads_with_one_key_across_kills(stopped):
    """Clients send a key until they get an answer, while the daemon is killed repeatedly: each key makes one job."""
    stopped.start("--slots", "1")
    stopped.wait_running(stopped.submit("hang\n"))
    body = {"model": "/m"}
    told = {}
    lock = threading.Lock()
    killed = threading.Event()

    def client(n):
        key = f"key-{n % 8}"
        for _ in range(20000):
            try:
                answer = keyed(stopped, key, body)
            except (OSError, ValueError):
                if killed.wait(0.01):
                    continue
                continue
            assert answer.status in (200, 202), answer.body
            with lock:
                told.setdefault(key, set()).add(answer.json["id"])
            if killed.is_set():
                return

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        clients = [pool.submit(client, n) for n in range(24)]
        for _ in range(3):
            stopped.kill()
            stopped.start("--slots", "1")
        killed.set()
        for one in clients:
            one.result()
    assert len(told) == 8 and all(len(found) == 1 for found in told.values()), told
    assert len(ids(stopped, "model=/m")) == 8


def test_priority(blocked):
    low, middle, high = (blocked.submit(priority=p) for p in (-5, 0, 7))
    assert [blocked.job(job)["waiting"]["ahead"] for job in (low, middle, high)] == [2, 1, 0]
    assert all(job["waiting"] is None or job["waiting"]["ahead"] is None for job in blocked.get("/v1/jobs").json["jobs"])
    blocked.post("/v1/jobs/1/cancel")
    started = [blocked.wait_end(job)["started"] for job in (high, middle, low)]
    assert started == sorted(started)


def test_attempts(daemon):
    job = daemon.submit("exit 3\n", attempts=1)
    ended = daemon.wait_end(job)
    assert (ended["state"], ended["attempt"], ended["attempts_max"]) == ("failed", 1, 1)


def test_retry(daemon):
    job = daemon.submit("fail bad_checkpoint torn\n")
    failed = daemon.wait_end(job)
    assert failed["reason"] == "bad_checkpoint"
    with open(failed["spec"]["model"] + "/script", "w") as script:
        script.write(SUCCESS)
    answer = daemon.post(f"/v1/jobs/{job}/retry")
    assert (answer.status, answer.json["state"]) == (200, "queued")
    assert (answer.json["attempt"], answer.json["attempts_max"]) == (1, 4)
    assert answer.json["reason"] is answer.json["ended"] is answer.json["message"] is None
    schema.check(answer.json, "Job")
    ended = daemon.wait_end(job)
    assert (ended["state"], ended["attempt"]) == ("done", 2)
    again = daemon.post(f"/v1/jobs/{job}/retry")
    assert (again.status, again.json["code"]) == (409, "conflict")
    assert "is done: cannot retry it" in again.json["detail"]
    assert daemon.post("/v1/jobs/99/retry").status == 404
    assert daemon.post(f"/v1/jobs/{job}/retry", {"why": "so"}).status == 400


def test_retry_of_a_cancelled_job(daemon):
    job = daemon.submit("hang\n")
    daemon.wait_running(job)
    daemon.post(f"/v1/jobs/{job}/cancel")
    assert daemon.wait_end(job)["cancel_requested"] is True
    answer = daemon.post(f"/v1/jobs/{job}/retry")
    assert (answer.json["state"], answer.json["cancel_requested"]) == ("queued", False)
    assert daemon.wait_running(job)["attempt"] == 2


def test_parity_report_of_an_earlier_try(daemon):
    job = daemon.submit("report\nfail parity off\n")
    failed = daemon.wait_end(job)
    assert daemon.get(f"/v1/jobs/{job}/parity").status == 200
    with open(failed["spec"]["model"] + "/script", "w") as script:
        script.write("fail bad_checkpoint torn\n")
    daemon.post(f"/v1/jobs/{job}/retry")
    assert daemon.wait_end(job)["reason"] == "bad_checkpoint"
    assert daemon.get(f"/v1/jobs/{job}/parity").status == 404


def test_queue_has_a_limit(stopped):
    stopped.start("--slots", "1", "--queue-max", "2")
    first = stopped.submit("hang\n")
    stopped.wait_running(first)
    assert keyed(stopped, "k", {"model": "/m"}).status == 202
    assert stopped.post("/v1/jobs", {"model": "/m"}).status == 202
    answer = stopped.post("/v1/jobs", {"model": "/m"})
    assert (answer.status, answer.json["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert keyed(stopped, "k", {"model": "/m"}).status == 200  # it is there already
    stopped.post("/v1/jobs/3/cancel")
    assert stopped.post("/v1/jobs", {"model": "/m"}).status == 202
    refused = stopped.post("/v1/jobs/3/retry")
    assert (refused.status, refused.json["code"]) == (503, "busy")
    assert refused.headers["Retry-After"]


def test_many_in_one_batch_meet_the_limit(stopped):
    stopped.start("--slots", "1", "--queue-max", "10")
    stopped.wait_running(stopped.submit("hang\n"))
    connections = [stopped.connect() for _ in range(40)]
    for connection in connections:
        connection.request("POST", "/v1/jobs", '{"model": "/m"}')
    statuses = []
    for connection in connections:
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
        connection.close()
    assert sorted(statuses) == [202] * 10 + [503] * 30
    assert stopped.log == [line for line in stopped.log if "queued, which is" not in line]  # no flood there
