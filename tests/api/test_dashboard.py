"""The page in a browser, with the real daemon. Details of the page are tested in tests/page."""
import concurrent.futures
import json
import sys
import urllib.parse

import pytest

from conftest import BUILD, SUCCESS, TOP, wait_until

sys.path.insert(0, str(TOP / "tests/page"))
import browser as driver  # noqa: E402
from browser import shared_browser  # noqa: E402, F401

GOLDEN = TOP / "tests/golden/colqwen2-tiny"
in_browser = pytest.mark.skipif(driver.missing() is not None, reason=str(driver.missing()))


def url(daemon):
    return f"http://127.0.0.1:{daemon.port}/"


@pytest.fixture
def browser(shared_browser):
    shared_browser.logged()
    yield shared_browser
    shared_browser.go("about:blank")


@pytest.fixture
def real(stopped):
    return stopped.start("--worker", str(BUILD / "colconv-worker"), "--slots", "1")


def test_files_of_the_page(daemon):
    answer = daemon.get("/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for name in ("page.css", "main.js", "theme.js", "icon.svg"):
        file = daemon.get(f"/page/{name}")
        assert (file.status, file.body) == (200, (TOP / "daemon/http/page/web" / name).read_bytes())
        assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert {f.name for f in (TOP / "daemon/http/page/web").iterdir() if daemon.get(f"/page/{f.name}").status != 200} == set()
    for name in ("nothing.js", "openapi.json", "..", ".", "%2e%2e", "..%2fpage%2fmain.js"):
        assert daemon.get(f"/page/{name}").status in (400, 404)


def test_policy(daemon):
    for path in ("/", "/page/main.js"):
        headers = daemon.get(path).headers
        policy = dict(d.strip().split(" ", 1) for d in headers["Content-Security-Policy"].split(";"))
        assert policy == {
            "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "connect-src": "'self'", "frame-ancestors": "'none'",
            "base-uri": "'none'", "form-action": "'none'", "require-trusted-types-for": "'script'", "trusted-types": "'none'",
        }
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"


@in_browser
def test_submitted_on_the_page_and_watched_until_done(browser, real):
    browser.go(url(real))
    browser.wait_text("#link", "live")
    browser.wait_text(".empty", "No running jobs.")
    browser.click("nav [data-page=new]")
    browser.type("#f-model", str(GOLDEN))
    browser.click("details.card > summary")
    browser.type("#f-labels", "team=search")
    browser.click("form .primary")

    browser.wait_text("h1", "Job 1")
    browser.wait_text(".verdict", "Pass: same embeddings as the original", 60)
    browser.find(".matrix")
    report = real.get("/v1/jobs/1/parity").json
    shown = browser.script("""return [...document.querySelectorAll(".parity > details .runs > tbody > tr")].map((r) => [r.querySelector("bdi").textContent, r.querySelectorAll(".histogram .column").length > 1])""")
    assert shown == [[c["name"], True] for c in report["cases"]]
    assert browser.script("return [...document.querySelectorAll('figcaption')].map((e) => e.textContent)") == ["Original", "ONNX", "Difference"] * len(report["ranking"])
    scores = browser.script("return [...document.querySelectorAll('.ranking td')].map((e) => parseFloat(e.textContent))")
    assert scores == pytest.approx([s for k in report["ranking"] for row in k["original"] for s in row], abs=1e-4)
    files = real.get("/v1/jobs/1/files").json["files"]
    assert browser.texts(".files .hash") == [f["sha256"] for f in files]
    assert [s for s in browser.texts(".line th[scope=row]") if s != "start"] == ["resolve", "trace", "export", "reference", "parity"]
    assert not browser.logged()


@in_browser
def test_failed_job(browser, daemon):
    job = daemon.submit("stage resolve\nlog <b>bold</b>\nfail bad_checkpoint <img src=x onerror=alert(1)> is no checkpoint\n")
    daemon.wait_end(job)
    browser.go(f"{url(daemon)}#/job/{job}")

    browser.wait_text(".verdict", "Failed: bad_checkpoint")
    browser.wait_text(".verdict", "<img src=x onerror=alert(1)> is no checkpoint")
    browser.wait_text(".log", "<b>bold</b>")
    browser.wait_text(".line caption", "failed: bad_checkpoint")
    assert browser.texts(".title button") == ["Retry", "Delete"]
    assert not browser.logged()


@in_browser
def test_cancel_and_delete(browser, daemon):
    job = daemon.submit("stage export\nprogress 1 2\nhang\n")
    daemon.wait_running(job)
    browser.go(f"{url(daemon)}#/job/{job}")
    browser.wait_text(".steps .now", "export")
    browser.click(".title button")
    browser.wait_text(".title .badge", "cancelled")
    browser.wait("other buttons", lambda: browser.texts(".title button") == ["Retry", "Delete"])
    browser.click(".title button + button")
    browser.click("#sure-ok")
    browser.wait_text("h1", "Jobs")
    wait_until("it is gone", lambda: daemon.get(f"/v1/jobs/{job}").status == 404)


@in_browser
def test_daemon_restarted_under_the_page(browser, stopped):
    stopped.start("--slots", "1")
    job = stopped.submit("stage export\nprogress 1 2\nlog before\nhang\n")
    browser.go(f"{url(stopped)}#/job/{job}")
    browser.wait_text(".log", "before")

    assert stopped.stop() == 0
    browser.wait_text("#away", "The daemon does not answer")
    stopped.start("--listen", f"127.0.0.1:{stopped.port}", "--slots", "1")

    browser.wait_text("#link", "live")
    browser.wait_text(".line caption", "Attempt 2")
    browser.wait("the log of both attempts", lambda: "".join(browser.texts(".log")).count("before") == 2)
    assert not browser.texts("#away")


@in_browser
def test_5000_jobs(browser, stopped):
    stopped.start("--slots", "1")
    body = json.dumps({"model": stopped.model("hang\n")})

    def submit(many):
        connection = stopped.connect()
        for _ in range(many):
            connection.request("POST", "/v1/jobs", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 202, answer.read()
            answer.read()
        connection.close()

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(submit, [250] * 20))
    browser.go(f"{url(stopped)}#/jobs")
    browser.wait_text("tbody tr:first-child th", "5000")
    rows = "return [...document.querySelectorAll('tbody th')].map((e) => Number(e.textContent))"
    seen = browser.script(rows)
    while "Older" in browser.texts(".pages a"):
        browser.script("[...document.querySelectorAll('.pages a')].find((a) => a.textContent === 'Older').click()")
        browser.wait("the next page", lambda: (now := browser.script(rows)) and now[0] < seen[-1])
        seen += browser.script(rows)
    assert seen == list(range(5000, 0, -1))
    browser.go(url(stopped))
    browser.wait_text(".tile.queued", "4,999")
    browser.wait_text(".card", "more jobs")
    assert not browser.logged()


@in_browser
def test_tokens(browser, stopped, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("viewer read look-look-look-look\nci submit send-send-send-send\n")
    tokens.chmod(0o600)
    stopped.start("--slots", "1", "--tokens", str(tokens), "--roots", "/")
    as_ci = {"Authorization": "Bearer send-send-send-send", "Content-Type": "application/json"}
    job = [stopped.request("POST", "/v1/jobs", json.dumps({"model": stopped.model(s)}), as_ci).json["id"] for s in (SUCCESS, "hang\n")]
    assert stopped.get("/v1/jobs").status == 401
    browser.go(f"{url(stopped)}#/job/{job[1]}")
    browser.type("#ask-token", "look-look-look-look" + driver.ENTER)
    browser.wait_text(".title .badge", "running")
    browser.click(".title button")
    browser.wait_text("#notes", "Your access token does not allow this")
    assert stopped.request("GET", f"/v1/jobs/{job[1]}", headers=as_ci).json["cancel_requested"] is False

    browser.script("location.hash = arguments[0]", f"#/job/{job[0]}")
    browser.wait_text(".facts", "by ci")
    browser.script("window.saved = []; const real = URL.createObjectURL; URL.createObjectURL = (b) => { saved.push(b.size); return real.call(URL, b); }")
    name = browser.texts(".files a")[0]
    browser.click(".files a")
    size = next(f["size"] for f in stopped.request("GET", f"/v1/jobs/{job[0]}/files", headers=as_ci).json["files"] if f["name"] == name)
    browser.wait("the file", lambda: browser.script("return saved") == [size])
    browser.click("#token")
    browser.type("#ask-token", "send-send-send-send" + driver.ENTER)
    browser.script("location.hash = arguments[0]", f"#/job/{job[1]}")
    browser.wait_text(".title .badge", "running")
    browser.click(".title button")
    browser.wait_text(".title .badge", "cancelled")
    browser.logged()


@pytest.fixture
def elsewhere():
    with driver.foreign_page(b"<!doctype html><title>elsewhere</title><form method=post enctype=text/plain target=t><input name=x></form><iframe name=t></iframe>") as address:
        yield address


@in_browser
def test_pages_from_elsewhere_change_nothing(browser, daemon, elsewhere):
    job = daemon.submit("hang\n")
    daemon.wait_running(job)
    body = json.dumps({"model": daemon.model("hang\n")})
    browser.go(elsewhere)
    for path, kind in (("/v1/jobs", "text/plain"), ("/v1/jobs", "application/json"), (f"/v1/jobs/{job}/cancel", "text/plain")):
        for mode in ("no-cors", "cors"):
            browser.later("""const [url, mode, kind, body, done] = arguments;
                fetch(url, {method: "POST", mode, headers: {"Content-Type": kind}, body}).then(done, () => done())""", urllib.parse.urljoin(url(daemon), path), mode, kind, body)
    browser.later("""const [url, done] = arguments; const f = document.forms[0]; document.querySelector("iframe").onload = () => done();
        f.action = url; f.elements.x.name = '{"model": "/m", "x'; f.submit()""", f"{url(daemon)}v1/jobs")
    read = browser.later("const done = arguments[1]; fetch(arguments[0]).then((r) => r.text()).then(done, () => done(null))", f"{url(daemon)}v1/jobs")

    jobs = daemon.get("/v1/jobs").json["jobs"]
    assert [(j["id"], j["state"], j["cancel_requested"]) for j in jobs] == [(job, "running", False)]
    assert read is None
