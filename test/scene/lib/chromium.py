# SPDX-License-Identifier: Apache-2.0
"""A browser as people have it: headless Chromium, told what to do over a pipe in its DevTools
protocol, so that no port is needed and nothing else can talk to it.

    with Chromium() as chromium:
        page = chromium.visit("https://127.0.0.1:8443/", (1280, 900))
        page.wait_for("document.readyState == 'complete'")
        page.screenshot(file)

Each visit is somebody else's: no cookie, cached answer or connection is left over from the last. It
takes every certificate, and asks nothing of the network by itself.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time
import zlib

from scene import check, equal, skip

PATIENCE = 40  # seconds: the browser is large, and other tests want the processors too
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update --disable-dev-shm-usage
    --disable-default-apps --hide-scrollbars --ignore-certificate-errors --remote-debugging-pipe"""


class Chromium:
    def __init__(self):
        self.program = shutil.which("chromium") or skip("chromium is not installed")
        self.folder = tempfile.TemporaryDirectory(prefix="larder-chromium-", ignore_cleanup_errors=True)
        self.count, self.rest = 0, b""

    def __enter__(self):
        reads, self.to_browser = os.pipe()
        self.from_browser, writes = os.pipe()
        # It expects 3 and 4, which may be numbers of these very pipes: move them away first.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (reads, writes)]
        for end in (reads, writes):
            os.close(end)
        with open(f"{self.folder.name}/said", "wb") as said:
            self.child = subprocess.Popen(
                [self.program, *FLAGS.split(), f"--user-data-dir={self.folder.name}/profile"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(3, 4),
                preexec_fn=lambda: [os.dup2(end, 3 + at) for at, end in enumerate(ends)],
            )
        for end in ends:
            os.close(end)
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.ask("Browser.close")
            else:
                with open(f"{self.folder.name}/said", errors="replace") as said:
                    print("".join(f"chromium: {line}" for line in said.readlines()[-10:]))
            os.close(self.to_browser)  # without which it ends, too
            self.child.wait(PATIENCE)
        finally:
            if self.child.poll() is None:
                self.child.kill()
                self.child.wait()
            os.close(self.from_browser)
            self.folder.cleanup()

    def ask(self, method, session=None, **params):
        """Has one command done, and returns what came of it. What it tells unasked is passed over."""
        self.count += 1
        told = {"id": self.count, "method": method, "params": params}
        told |= {"sessionId": session} if session else {}
        os.write(self.to_browser, json.dumps(told).encode() + b"\0")
        while (answer := self.read_message()).get("id") != self.count:
            pass
        check("result" in answer, f"{method}: {answer.get('error')}")
        return answer["result"]

    def read_message(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.rest:
            left = max(0, end - time.monotonic())
            check(select.select([self.from_browser], [], [], left)[0], "the browser says nothing")
            some = os.read(self.from_browser, 1 << 20)
            check(some, "the browser has gone")
            self.rest += some
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def visit(self, url, size):
        """Opens a page for a new visitor with a screen of that width and height."""
        visitor = self.ask("Target.createBrowserContext")["browserContextId"]
        target = self.ask("Target.createTarget", url="about:blank", browserContextId=visitor)
        target = target["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", session, **screen)
        went = self.ask("Page.navigate", session, url=url)
        check(not went.get("errorText"), f"{url}: {went.get('errorText')}")
        return Page(self, session)


class Page:
    def __init__(self, chromium, session):
        self.chromium, self.session = chromium, session

    def value(self, expression):
        """What an expression of its JavaScript comes to."""
        words = {"expression": expression, "returnByValue": True}
        return self.chromium.ask("Runtime.evaluate", self.session, **words)["result"].get("value")

    def wait_for(self, expression):
        """Waits until an expression is true, which it is not while the page is still coming."""
        end = time.monotonic() + PATIENCE
        while not (value := self.value(expression)):
            if time.monotonic() > end:
                shown = self.value("document.documentElement.outerHTML")
                raise AssertionError(f"no {expression} in {shown}")
            time.sleep(0.05)
        return value

    def screenshot(self, file):
        """Writes what is to be seen as a PNG, and returns its bytes."""
        taken = self.chromium.ask("Page.captureScreenshot", self.session, format="png")
        png = base64.b64decode(taken["data"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png)
        return png


def check_picture(png, size):
    """It is a PNG of that size, and of more than one colour."""
    equal(png[:8], b"\x89PNG\r\n\x1a\n")
    kind, *measured = struct.unpack(">4sII", png[12:24])
    equal((kind, tuple(measured)), (b"IHDR", size))
    at, packed = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        packed += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    # Rows are told as differences from their neighbours. With one colour only a few values can
    # occur: those of its own channels, the five filters' names, zero and halves.
    check(len(set(zlib.decompress(packed))) > 64, "a picture of one colour")
