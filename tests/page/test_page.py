"""The page in a browser, with a mock daemon (mock.py). tests/api/test_dashboard.py uses the real daemon."""
import os
import pathlib
import subprocess
import threading
import time

import pytest

import browser as driver
from browser import shared_browser  # noqa: F401
import mock

pytestmark = pytest.mark.skipif(driver.missing() is not None, reason=str(driver.missing()))
BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", mock.TOP))
AXE = BUILD / "runtime/axe.min.js"
VIEWS = ["#/", "#/jobs", "#/new", "#/storage", "done", "parity", "bad_checkpoint", "running", "#/job/999999", "#/nothing"]


@pytest.fixture
def browser(shared_browser):
    shared_browser.look(1400)
    shared_browser.logged()
    yield shared_browser
    shared_browser.go("about:blank")


class Site:
    """A mock that can stop and start again at the same port."""

    def __init__(self, **options):
        self.world = mock.World(**options)
        self.port = 0
        self.start()

    def start(self):
        self.server = mock.Server(self.world, self.port)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.closing = True
        with self.world.lock:
            self.world.lock.notify_all()
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def newest(self, what):
        return max(n for n, j in self.world.jobs.items() if what in (j["state"], j["reason"]))

    def address(self, view):
        return self.url + (view if view.startswith("#") else f"#/job/{self.newest(view)}")


@pytest.fixture
def site(request):
    s = Site(**getattr(request, "param", {"jobs": 60}))
    yield s
    s.stop()
    s.world.over = True


def opened(browser, site, view="#/"):
    browser.go("about:blank")
    browser.go(site.address(view))
    browser.wait_text("h1", "")
    browser.wait_text("#link", "live")
    drawn(browser, view)


def drawn(browser, view):
    css = {"#/": ".tile", "#/jobs": "tbody tr", "#/storage": "tbody tr", "#/new": "#f-model", "done": ".matrix", "parity": ".matrix", "bad_checkpoint": ".seg",
           "running": ".seg", "#/job/999999": ".empty"}.get(view, "h1")
    browser.find(css)


def nothing_logged(browser, *but):
    """Checks that nothing was logged, except the browser's own lines about 404 and 401."""
    found = [e["message"] for e in browser.logged() if not any(b in e["message"] for b in but)]
    assert not found, found


@pytest.mark.parametrize("view", VIEWS)
def test_views_draw_without_a_complaint(browser, site, view):
    opened(browser, site, view)

    assert browser.script("return document.title").endswith("colconv")
    assert len(browser.texts("h1")) == 1
    nothing_logged(browser, "999999")


@pytest.mark.parametrize("view", VIEWS)
def test_views_fit_a_phone(browser, site, view):
    browser.look(360)
    opened(browser, site, view)

    wide = browser.script("""return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1
        && !e.closest(".scroll, .hidden, thead, .skip, svg") && e.checkVisibility()).map((e) => e.outerHTML.slice(0, 200))""")
    assert not wide, wide
    assert browser.script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: ./bootstrap check fetches it")
@pytest.mark.parametrize("width, dark", [(1400, False), (360, True)], ids=["wide and light", "narrow and dark"])
@pytest.mark.parametrize("view", VIEWS[:8])
def test_axe_finds_nothing(browser, site, view, width, dark):
    browser.look(width, dark)
    opened(browser, site, view)
    browser.script(AXE.read_text())

    result = browser.later("axe.run().then(arguments[0])")

    found = [f"{v['impact']} {v['id']}: {n['html'][:150]} {n['failureSummary'][:300]}" for v in result["violations"] for n in v["nodes"]]
    assert len(result["passes"]) > 15
    assert not found, "\n".join(found)


def test_page_is_small_and_asks_nobody_else(browser, site):
    assert sum(f.stat().st_size for f in mock.PAGE.iterdir()) < 120_000
    opened(browser, site, "done")

    asked = browser.script("return performance.getEntriesByType('resource').map((e) => e.name)")

    assert len(asked) > 10
    assert all(name.startswith(site.url) for name in asked), asked


def test_policy_stops_what_is_not_the_pages_own(browser, site):
    opened(browser, site)

    assert browser.script("""const s = document.createElement("script"); try { s.textContent = "window.ran = 1"; } catch { return "refused"; } document.head.append(s);
        return window.ran ? "ran" : "refused";""") == "refused"
    assert browser.script("try { document.body.innerHTML = '<b>x</b>'; return 'made'; } catch { return 'refused'; }") == "refused"
    assert browser.later("fetch('http://127.0.0.1:9/').then(() => arguments[0]('sent'), () => arguments[0]('refused'))".replace("arguments[0]", "done").join(
        ["const done = arguments[0]; ", ""])) == "refused"
    browser.logged()


@pytest.mark.parametrize("site", [{"jobs": 60, "hostile": True}], indirect=True)
@pytest.mark.parametrize("view", VIEWS[:8])
def test_hostile_strings_are_text(browser, site, view):
    opened(browser, site, view)

    assert browser.script("return document.querySelectorAll('main img, main script, main iframe, main [onerror]').length") == 0
    if view != "#/new":
        assert "<img src=x onerror=alert(1)>" in browser.script("return document.querySelector('main').textContent")
    nothing_logged(browser)  # an alert would also fail the calls above


def test_what_runs_moves(browser, site):
    opened(browser, site)
    bar = "return Number(document.querySelector('.run [role=progressbar]').getAttribute('aria-valuenow'))"
    job = site.newest("running")

    browser.wait("a part", lambda: 0 < browser.script(bar) < 60)
    first = browser.script(bar)
    browser.wait("more of it", lambda: browser.script(bar) > first)
    browser.wait_text(".figures", "/s")
    browser.wait_text(".figures", "left")
    browser.wait_text(".rows", "next in line")
    browser.wait_text(".rows", "after hub_unreachable")
    browser.wait_text(".rows", "of 2 slots busy")
    with site.world.lock:
        site.world.end(job, "done", time.time())
    browser.wait_text("#o-recent ~ .rows li:first-child", f"Job {job}")


def test_log_and_time_line_come_as_they_are_made(browser, site):
    opened(browser, site, "running")
    job = site.newest("running")

    browser.wait_text(".log", "stage resolve begins")
    with site.world.lock:
        site.world.stage(job, "trace", time.time())
        site.world.add(job, "log", {"job": job, "line": "a line of now"}, time.time())
    browser.wait_text(".log", "a line of now")
    with site.world.lock:
        site.world.add(job, "log", {"job": job, "line": "<4>a weight that nobody uses"}, time.time())
    browser.wait_text(".log > .warning", " warning: a weight that nobody uses")
    browser.wait_text(".line th", "trace")
    with site.world.lock:
        for s in mock.STAGES[2:]:
            site.world.stage(job, s, time.time())
        site.world.end(job, "done", time.time())
    browser.wait_text(".verdict", "Pass: same embeddings as the original")
    browser.find(".matrix")
    lines = browser.script("return [...document.querySelectorAll('.log > div')].map((e) => e.textContent.slice(9))")
    assert lines.count("a line of now") == 1 and len(lines) == len([e for e in site.world.events if e["job"] == job and e["event"] == "log"])


@pytest.mark.parametrize("site", [{"jobs": 5000, "live": False}], indirect=True)
def test_list_of_5000_jobs(browser, site):
    opened(browser, site, "#/jobs")
    browser.script("""window.long = []; new PerformanceObserver((l) => window.long.push(...l.getEntries().map((e) => e.duration))).observe({type: "longtask"})""")
    rows = "return [...document.querySelectorAll('tbody tr th a')].map((a) => Number(a.textContent))"
    seen = browser.script(rows)
    assert len(seen) == 100

    while browser.script("return [...document.querySelectorAll('.pages a')].some((a) => a.textContent === 'Older')"):
        browser.script("[...document.querySelectorAll('.pages a')].find((a) => a.textContent === 'Older').click()")
        browser.wait("the next page", lambda: (now := browser.script(rows)) and now[0] < seen[-1])
        now = browser.script(rows)
        assert len(now) <= 100
        seen += now

    assert seen == list(range(5000, 0, -1))
    assert browser.script("return Math.max(0, ...window.long)") < 1000
    browser.script("history.back()")
    browser.wait("the page before", lambda: browser.script(rows)[:1] == [200])
    browser.script("[...document.querySelectorAll('.pages a')].find((a) => a.textContent === 'Newest').click()")
    browser.wait("the first page", lambda: browser.script(rows)[:1] == [5000])


def test_filters_are_in_the_address(browser, site):
    opened(browser, site, "#/jobs")
    browser.click("input[value=failed]")
    browser.type("input[name=label]", "team=search")
    browser.click(".filters .primary")

    browser.wait("the address", lambda: "state=failed&label=team%3Dsearch" in browser.script("return location.hash"))
    browser.wait("failed ones alone", lambda: browser.script("""const s = [...document.querySelectorAll("tbody .badge")].map((e) => e.textContent);
        return s.length > 0 && s.every((t) => t === "failed")"""))
    browser.click("tbody th a")
    browser.wait_text("h1", "Job ")
    assert browser.script("return document.activeElement.tagName") == "H1"
    browser.script("history.back()")
    browser.wait_text("h1", "Jobs")
    assert browser.script("return document.querySelector('input[value=failed]').checked")
    browser.type("input[name=model]", "/srv/nothing")
    browser.click(".filters .primary")
    browser.wait_text(".empty", "No jobs.")
    opened(browser, site, "#/jobs")
    browser.type("input[name=reason]", "timeout")
    browser.type("input[name=owner]", "ci")
    browser.click(".filters .primary")
    browser.wait("the address", lambda: "reason=timeout&owner=ci" in browser.script("return location.hash"))
    want = sorted((str(n) for n, j in site.world.jobs.items() if j["reason"] == "timeout"), key=int, reverse=True)
    browser.wait("those jobs alone", lambda: browser.texts("tbody th a") == want)


def test_storage_has_what_is_stored(browser, site):
    opened(browser, site, "#/storage")
    with site.world.lock:
        stored = sorted((n for n, j in site.world.jobs.items() if j["artifact"]), reverse=True)
    assert [int(t.removeprefix("Job ")) for t in browser.texts("tbody th a")] == stored
    assert browser.texts("tbody td.number")[:2] == ["4 files", "8.88 GB"]


def test_the_last_jobs_and_a_full_disk(browser, site):
    opened(browser, site)
    bars = browser.script("return [...document.querySelectorAll('.strip rect')].map((e) => e.getAttribute('class'))")
    with site.world.lock:
        ended = [j["state"] for n, j in sorted(site.world.jobs.items()) if j["state"] in mock.ENDED][-60:]
    assert len(bars) >= 50 and bars[:40] == ended[:40]
    assert not browser.texts(".disk + p + .warning")
    site.world.free = 30 * 10**9
    browser.go("about:blank")
    opened(browser, site)
    browser.wait_text(".disk.low + p + .warning", "Only 3 % is free")


@pytest.mark.parametrize("site", [{"jobs": 0}], indirect=True)
def test_nothing_is_said_that_is_not_so(browser, site):
    opened(browser, site)
    browser.wait_text("#o-recent ~ p", "None yet.")
    assert not browser.texts("#token"), "the daemon needs no token"
    assert not browser.script("return document.querySelector('.strip')")


@pytest.mark.parametrize("field, text, words", [
    ("model", "relative", "model must be"), ("priority", "high", "priority must be"), ("labels", "team=", "labels.x must"), ("parity.max_abs", "tiny", "parity.max_abs must"),
])
def test_errors_are_at_their_field(browser, site, field, text, words):
    opened(browser, site, "#/new")
    browser.script("document.querySelector('details.card').open = true")
    if field != "model":
        browser.type("#f-model", "/srv/models/a")
    browser.type(f"[name='{field}']", text)
    browser.click("form .primary")

    browser.wait_text(f"[data-field='{field}'] .error", words)
    assert browser.script("return document.activeElement.name") == field
    assert browser.script("return document.activeElement.getAttribute('aria-invalid')") == "true"
    browser.logged()


def test_a_failed_job_says_what_to_do(browser, site):
    opened(browser, site, "bad_checkpoint")
    browser.wait_text(".verdict .remedy", "What to do: compare the checkpoint's files with the original ones")
    with site.world.lock:
        job = site.newest("running")
        site.world.end(job, "failed", time.time(), "internal")
    browser.go(site.url + f"#/job/{job}")
    browser.wait_text(".verdict .remedy", f"'colconvctl logs {job}' shows the worker's log")
    browser.go(site.address("running"))
    browser.find(".seg")
    assert not browser.texts(".remedy")


def test_the_form_has_the_help_of_the_table(browser, site):
    opened(browser, site, "#/new")
    browser.script("for (const d of document.querySelectorAll('details')) d.open = true; document.querySelector('[name=layout]').value = 'sharded'; document.querySelector('form').dispatchEvent(new Event('input'))")

    shown = dict(browser.script("return [...document.querySelectorAll('.field')].map((e) => [e.dataset.field, e.querySelector('.help').textContent])"))

    boxes = ["parity", "cache"]  # a check box with the help beside it
    want = {f["name"]: f["help"].removeprefix("Parity: ") for f in mock.FIELDS if f["name"] not in boxes}
    assert shown.keys() == want.keys()
    for name, words in want.items():
        assert shown[name][1:].startswith(words[1:]), name
    assert shown["priority"].endswith("; from -100 to 100")
    assert browser.texts("label.check")[-2:] == [next(f["help"] for f in mock.FIELDS if f["name"] == name) for name in boxes]
    assert browser.script("return [...document.querySelectorAll('input[name=variants]:checked')].map((e) => e.value)") == ["text", "image"]


def test_submit_cancel_retry_delete(browser, site):
    opened(browser, site, "#/new")
    browser.type("#f-model", "/srv/models/slow")
    browser.click("input[value=unified]")
    browser.click("details.card > summary")
    browser.type("#f-labels", "team=search\nrun=a=b")
    browser.click("form .primary")

    browser.wait_text("h1", "Job 61")
    spec = site.world.jobs[61]["spec"]
    assert (spec["variants"], spec["labels"]) == (["text", "image", "unified"], {"team": "search", "run": "a=b"})
    button = "return [...document.querySelectorAll('.title button')].map((b) => b.textContent).join()"
    browser.wait_text(".verdict", "ahead")
    browser.click(".title button")
    browser.wait_text(".title .badge", "cancelled")
    browser.wait("other buttons", lambda: browser.script(button) == "Retry,Delete")
    browser.click(".title button")
    browser.wait_text(".title .badge", "queued")
    browser.wait("the first button", lambda: browser.script(button) == "Cancel")
    browser.click(".title button")
    browser.wait("other buttons", lambda: browser.script(button) == "Retry,Delete")
    browser.click(".title button + button")
    browser.wait_text("#sure-title", "Delete job 61?")
    browser.click("#sure button[value=no]")
    assert 61 in site.world.jobs
    browser.click(".title button + button")
    browser.click("#sure-ok")
    browser.wait_text("h1", "Jobs")
    browser.wait("it is gone", lambda: 61 not in site.world.jobs)
    nothing_logged(browser, "/v1/jobs/61")


def test_the_command_beside_the_form_makes_the_same_job(browser, site):
    opened(browser, site, "#/new")
    assert not browser.script("return document.querySelector('[name=dtype]').checkVisibility()")
    browser.click("details.card > summary")
    for css, text in (("#f-model", "/srv/it's a model"), ("#f-labels", "team=search\nrun=a b"), ("#f-priority", "-5"), ("#f-timeout", "90"),
                      ("[name='parity.min_cosine']", "0.5"), ("#f-reference", "/a\n/b"), ("#f-base", "owner/base")):
        browser.type(css, text)
    browser.script("const s = document.querySelector('[name=mask_mode]'); s.selectedIndex = 1; s.form.dispatchEvent(new Event('input'))")
    browser.click("input[name=variants][value=image]")
    command, request = browser.texts(".same pre")
    browser.click("form .primary")
    browser.wait_text("h1", "Job 61")

    environment = {**os.environ, "COLCONV_SERVER": "http://127.0.0.1:1", "PATH": f"{BUILD}:{os.environ['PATH']}"}
    for line in (command, request):
        subprocess.run(["bash", "-c", line], env=environment, check=True, timeout=20, capture_output=True)
    want = {**site.world.jobs[61]["spec"]}
    assert (want["variants"], want["priority"], want["labels"]) == (["text"], -5, {"team": "search", "run": "a b"})
    assert [site.world.jobs[n]["spec"] for n in (62, 63)] == [want, want]


def test_submit_again(browser, site):
    with site.world.lock:
        n = site.world.new({"model": "/srv/models/again", "variants": ["image"], "storage": "int8", "labels": {"team": "x"}, "priority": 7,
                            "parity": {"max_abs": 0.5, "min_cosine": 0.9, "seed": 1}}, time.time())
    opened(browser, site, f"#/job/{n}")
    browser.find(".title a.button")
    browser.click(".title a.button")
    browser.wait_text("main", f"With the options of job {n}.")
    browser.click("form .primary")
    browser.wait_text("h1", f"Job {n + 1}")
    again = site.world.jobs[n + 1]["spec"]
    first = site.world.jobs[n]["spec"]
    assert {k: again[k] for k in ("model", "variants", "storage", "labels", "priority")} == {k: first[k] for k in ("model", "variants", "storage", "labels", "priority")}
    assert again["parity"] == {"max_abs": 0.5, "min_cosine": 0.9}

    opened(browser, site, f"#/new?like={n}")
    browser.script("const s = document.querySelector('[name=dtype]'); s.value = 'fp16'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    assert "--max-abs" not in browser.texts(".same pre")[0]  # a limit of fp32 is wrong for fp16
    opened(browser, site, "#/new?like=999")
    browser.wait_text("main", "There is no job 999")
    browser.logged()


def test_files_can_go_without_the_job(browser, site):
    opened(browser, site, "done")
    job = site.newest("done")
    assert f"fetch {job} -o job-{job}" in browser.texts(".command")[0]
    browser.script("[...document.querySelectorAll('.files ~ .actions button')].at(-1).click()")
    browser.wait_text("#sure-title", f"Remove the files of job {job}?")
    browser.click("#sure-ok")
    browser.wait_text("#j-files ~ .dim", "Removed")
    assert job in site.world.jobs and site.world.jobs[job]["artifact"]["removed"]
    assert browser.texts("h1") == [f"Job {job}"]


@pytest.mark.parametrize("site", [{"jobs": 20, "token": "secret-secret-secret"}], indirect=True)
def test_token(browser, site):
    browser.go(site.url)
    browser.wait_text("#ask-title", "Access token")
    browser.type("#ask-token", "wrong-wrong-wrong" + driver.ENTER)
    browser.wait_text("#ask-why", "does not accept")
    browser.click("#ask button[value=no]")
    browser.wait_text("#link", "access token needed")
    browser.click("#token")
    browser.type("#ask-token", site.world.token + driver.ENTER)

    browser.wait_text("#link", "live")
    browser.find(".tile")
    assert browser.script("return [localStorage.length, document.cookie, Object.values(sessionStorage)]") == [0, "", [site.world.token]]
    browser.go("about:blank")
    browser.go(site.address("done"))
    browser.wait_text(".files + p", "cannot send your access token")
    assert "model.onnx_data" not in browser.texts(".files a")
    assert "text.onnx" in browser.texts(".files a")
    browser.logged()


@pytest.mark.parametrize("view", ["#/", "running"])
def test_daemon_goes_and_comes_back(browser, site, view):
    opened(browser, site, view)
    seen = browser.script("return document.querySelector('main').childElementCount")

    site.stop()
    browser.wait_text("#away", "The daemon does not answer")
    assert browser.script("return document.querySelector('main').childElementCount") == seen
    browser.wait_text("#link", "no answer for")
    site.start()
    browser.wait_text("#link", "live")
    assert not browser.texts("#away")
    job = site.newest("running")
    with site.world.lock:
        site.world.end(job, "cancelled", time.time())
    browser.wait_text(".badge", "cancelled")
    browser.logged()


# What Tab must reach, each by a key that lasts when the page draws it anew.
FOCUSABLE = """const focusable = () => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((e) => e.checkVisibility() && !e.disabled);
const key = (e) => [e.tagName, e.getAttribute("href") || e.name || e.textContent.trim()].join(" ");
"""


@pytest.mark.parametrize("view", VIEWS[:6])
def test_keyboard_gets_everywhere(browser, site, view):
    opened(browser, site, view)
    before = set(browser.script(FOCUSABLE + "return focusable().map(key);"))
    steps = []
    for _ in range(2 * len(before) + 20):  # several may have one key, and rows may come meanwhile
        browser.keys(driver.TAB)
        steps.append(browser.script(FOCUSABLE + """const e = document.activeElement; if (e === document.body) return null;
            return [key(e), getComputedStyle(e).outlineStyle, Boolean(e.checkVisibility())];"""))
        if steps[-1] is None:
            break

    assert steps.pop() is None, "the focus does not leave the page"
    assert all(s[1:] == ["solid", True] for s in steps), steps
    after = set(browser.script(FOCUSABLE + "return focusable().map(key);"))
    assert before & after <= {s[0] for s in steps}


def test_skip_link(browser, site):
    opened(browser, site)
    browser.keys(driver.TAB)
    assert browser.script("const r = document.activeElement.getBoundingClientRect(); return [document.activeElement.id, r.top >= 0]") == ["skip", True]
    browser.keys(driver.ENTER)
    assert browser.script("return [document.activeElement.id, location.hash]") == ["main", "#/"]


def test_theme_is_kept(browser, site):
    opened(browser, site)
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.script(ground)
    browser.click("#theme")
    browser.click("#theme")
    dark = browser.script(ground)
    assert light != dark
    opened(browser, site, "#/jobs")
    assert browser.script(ground) == dark
    browser.click("#theme")
    assert browser.script(ground) == light


def test_nothing_moves_for_who_asks_for_that(browser, site):
    browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    opened(browser, site)
    browser.find(".track")
    assert browser.script("return document.getAnimations().length") == 0


def test_scores_are_a_table_too(browser, site):
    opened(browser, site, "done")
    browser.click(".ranking summary")
    scores = browser.script("return [...document.querySelectorAll('.ranking td')].map((e) => parseFloat(e.textContent))")
    want = mock.parity()["ranking"][0]["original"]
    assert scores == pytest.approx([s for row in want for s in row], abs=1e-4)
    label = browser.script("return document.querySelector('.histogram').getAttribute('aria-label')")
    tokens = sum(sum(c["cosine_counts"]) for c in mock.parity()["cases"])
    assert label == f"all {tokens:,} tokens within the limit, 1e-5"


def test_runs_that_pass_are_one_chart(browser, site):
    rows = "return [...document.querySelectorAll(arguments[0])].map((e) => e.querySelector('bdi').textContent)"
    opened(browser, site, "parity")
    report = mock.parity(False)
    assert browser.script(rows, ".parity > .scroll .runs > tbody > tr") == ["image-mixed", "5 runs that pass"]
    assert "above the limit" in browser.script("return document.querySelector('.runs .bad .histogram').getAttribute('aria-label')")
    assert browser.script("return document.querySelectorAll('.runs tr')[2].children[3].textContent") == "994"
    assert not browser.script("return document.querySelector('.parity details').open")
    browser.click(".parity > details summary")
    assert browser.script(rows, ".parity > details .runs > tbody > tr") == [c["name"] for c in report["cases"] if c["passed"]]


def test_streams_are_let_go_out_of_sight(browser, site):
    """A browser opens only six connections to one host, so hidden tabs must not hold them."""
    opened(browser, site, "running")
    browser.wait("that of the job too", lambda: site.world.streams == 2)
    browser.go("about:blank")
    browser.wait("no stream", lambda: site.world.streams == 0)


def test_page_is_shown_in_no_frame(browser, site):
    with driver.foreign_page(b"<!doctype html><title>elsewhere</title><iframe id=f></iframe>") as address:
        browser.go(address)
        browser.later("const done = arguments[1]; const f = document.getElementById('f'); f.onload = () => done(); f.src = arguments[0]", site.url)
        browser.wait("the refusal", lambda: any("frame-ancestors" in e["message"] for e in browser.logged()))
