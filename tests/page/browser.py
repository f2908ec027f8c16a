"""Headless Chromium through chromedriver; it uses only WebDriver's HTTP interface."""
import base64
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
LIMIT = 100  # s: only a hang takes so long, on a busy machine too
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--no-first-run", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars"]
TAB = "\ue004"
ENTER = "\ue007"


def missing():
    """The missing programs, as a reason to skip a test; None when nothing is missing."""
    return None if CHROMIUM and DRIVER else "chromium and chromedriver are not installed (Debian: chromium, chromium-driver)"


@contextlib.contextmanager
def foreign_page(html):
    """Serves one page at its own host and port, without a policy, and returns its address."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def shared_browser():
    """One for the tests of a file."""
    b = Browser()
    yield b
    b.close()


class Browser:
    def __init__(self, width=1400, height=1000):
        self.folder = tempfile.mkdtemp(prefix="page-test-")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={**os.environ, "HOME": self.folder}, start_new_session=True)
        self.session = ""
        try:
            self.wait("chromedriver", self.ready)
            options = {"binary": CHROMIUM, "args": [*OPTIONS, f"--user-data-dir={self.folder}/profile", f"--window-size={width},{height}"]}
            self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def close(self):
        if self.session:
            self.call("DELETE", f"/session/{self.session}")
        self.driver.terminate()
        self.driver.wait(LIMIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(json.load(e)["value"]["message"]) from None

    def do(self, method, path, body=None):
        return self.call(method, f"/session/{self.session}{path}", body)

    def go(self, url):
        self.do("POST", "/url", {"url": url})

    def script(self, code, *args):
        return self.do("POST", "/execute/sync", {"script": code, "args": list(args)})

    def later(self, code, *args):
        """Runs a script that calls its last argument when it is done."""
        return self.do("POST", "/execute/async", {"script": code, "args": list(args)})

    def devtools(self, command, **params):
        return self.do("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    @staticmethod
    def wait(what, condition, limit=LIMIT):
        end = time.monotonic() + limit
        while not (value := condition()):
            assert time.monotonic() < end, f"waited too long: {what}"
            time.sleep(0.02)
        return value

    def wait_text(self, css, text, limit=LIMIT):
        seen = ["nothing"]

        def there():
            seen[0] = self.texts(css)
            return any(text in t for t in seen[0])
        try:
            self.wait(f"'{text}' in {css}", there, limit)
        except AssertionError as e:
            raise AssertionError(f"{e}; it is {str(seen[0])[:1500]}") from None

    def texts(self, css):
        """The texts of all matching elements that are visible."""
        return self.script("return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility()).map((e) => e.textContent)", css)

    def find(self, css):
        found = self.wait(css, lambda: self.do("POST", "/elements", {"using": "css selector", "value": css}))
        return found[0][ELEMENT]

    def click(self, css):
        self.do("POST", f"/element/{self.find(css)}/click", {})

    def type(self, css, text):
        self.do("POST", f"/element/{self.find(css)}/value", {"text": text})

    def keys(self, text):
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.do("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def logged(self):
        """Messages of the console and the browser since the last call."""
        return [entry for entry in self.do("POST", "/se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]

    def look(self, width, dark=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, file, most=8000):
        """A picture of the whole page, up to a number of pixels."""
        height = min(most, self.script("return document.documentElement.scrollHeight"))
        width = self.script("return innerWidth")
        data = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})
        pathlib.Path(file).write_bytes(base64.b64decode(data["data"]))
