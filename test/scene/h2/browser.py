#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What a browser makes of Larder: Chromium opens the sample shop over TLS, settles for HTTP/2 by
itself (RFC 9113 3.2), and has the page and all pictures on one connection. The page says what the
browser told it; the second visitor costs the origin nothing. What was to be seen is left in
BUILD/log/scene/h2."""

import json
import os
import ssl
import subprocess
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import scene
from chromium import Chromium, check_picture
from larder import TOP, Larder
from scene import case, check, equal
from secure_origin import Authority

PROGRAM = os.environ.get("ORIGIN", str(TOP / "build/origin"))
SEEN = Path(os.environ.get("BUILD", str(TOP / "build"))) / "log/scene/h2"
DESKTOP, PHONE = (1280, 900), (390, 844)
PICTURES = {f"/pictures/{n}.svg" for n in range(1, 25)}


@contextmanager
def sample_origin():
    command = [PROGRAM, "--quiet", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child.stdout.readline().split()[-1]
        finally:
            child.kill()


@contextmanager
def shop(ca, origin):
    """A Larder with https only; its URL is that of the shop."""
    cert, key = ca.sign("127.0.0.1")
    larder = Larder(origin)
    larder.url = f"https://127.0.0.1:{larder.port}"
    certificates = [{"cert": str(cert), "key": str(key)}]
    larder.configure({"listen": [larder.url], "tls": {"certificates": certificates}})
    with larder:
        yield larder


def store(ca, url):
    """Has Larder fetch what would go stale in seconds, to keep for longer than this scene."""
    request = urllib.request.Request(url, headers={"Origin-Cc": "max-age=600"})
    context = ssl.create_default_context(cafile=ca.file)
    with urllib.request.urlopen(request, context=context) as answer:
        equal(answer.status, 200)


def asked(origin):
    """How often the origin was asked for what."""
    with urllib.request.urlopen(f"{origin}/-/stats") as answer:
        return json.load(answer)["paths"]


def visit(chromium, url, size, name):
    """Looks at the shop. Returns what its status bar says, and what its script counted."""
    page = chromium.visit(url + "/", size)
    page.wait_for("document.body && document.body.dataset.hits")
    check_picture(page.screenshot(SEEN / f"{name}.png"), size)
    wide = page.value("document.documentElement.scrollWidth")
    check(wide <= size[0], f"{wide} wide on a screen of {size[0]}")
    return page.value("document.getElementById('bar').innerText"), page.value(
        "({...document.body.dataset})"
    )


def test_two_visitors():
    with Authority() as ca, sample_origin() as origin, shop(ca, origin) as larder:
        store(ca, larder.url + "/")
        store(ca, larder.url + "/products/1")
        with Chromium() as chromium:
            bar, counted = visit(chromium, larder.url, DESKTOP, "desktop")
            with case("the first has each picture fetched"):
                check(bar.startswith("HTTP/2 · 26 requests · 2 answered by Larder\n"), bar)
                equal(
                    counted,
                    {"protocol": "h2", "pictures": "24", "requests": "26", "hits": "2"},
                )
                equal(asked(origin), dict.fromkeys(PICTURES | {"/", "/products/1"}, 1))
                equal(larder.metric("h2_connections_total"), 1)
                equal(larder.metric("h2_streams_total"), 26)
            bar, counted = visit(chromium, larder.url, PHONE, "phone")
            with case("the second has everything from the store"):
                equal(bar.strip(), "HTTP/2 · 26 requests · 26 answered by Larder")
                equal((counted["pictures"], counted["hits"]), ("24", "26"))
                equal(asked(origin), dict.fromkeys(PICTURES | {"/", "/products/1"}, 1))
                equal(larder.metric("h2_connections_total"), 2)
                equal(larder.metric("h2_streams_total"), 52)


def test_no_larder():
    """The page claims nothing for Larder where there is none."""
    with sample_origin() as origin, Chromium() as chromium:
        bar, counted = visit(chromium, origin, DESKTOP, "origin")
        equal(bar.strip(), "HTTP/1.1 · 26 requests · straight from the origin")
        equal((counted["protocol"], counted["hits"]), ("http/1.1", "0"))


scene.run()
