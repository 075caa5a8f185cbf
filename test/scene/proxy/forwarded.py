#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Who asks: Via, X-Forwarded-For, -Proto, -Host and Forwarded are written anew for strangers, and
continued for proxies that are trusted (RFC 9110 7.6.3, RFC 7239)."""

import signal
import time

import scene
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal

NAMES = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded")
LIES = [
    "X-Forwarded-For: 192.0.2.1, 192.0.2.2",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: bank.example",
    "Forwarded: for=192.0.2.1;host=bank.example;proto=https",
]
OURS = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "shop.example",
    "Forwarded": "for=127.0.0.1;host=shop.example;proto=http",
}


def told(origin):
    return {name: origin.requests[-1].get(name) for name in NAMES}


def ask(larder, *fields, line="GET / HTTP/1.1"):
    return larder.ask(line, "Host: shop.example", "Cache-Control: no-cache", *fields)


def test_strangers_are_not_believed():
    table = {
        "nothing said": [],
        "lies": LIES,
        "twice": LIES + LIES,
        "other case": [line.lower() for line in LIES],
        "empty": [f"{name}:" for name in NAMES],
    }
    with Origin() as origin, Larder(origin) as larder:
        for name, fields in table.items():
            with case(name):
                ask(larder, *fields)
                equal(told(origin), OURS)


def test_trusted_proxies_are_continued():
    for trusted in ("127.0.0.1", "127.0.0.0/8"):
        config = {"trusted-proxies": [trusted]}
        with case(trusted), Origin() as origin, Larder(origin, config=config) as larder:
            ask(larder, *LIES)
            equal(
                told(origin),
                {
                    "X-Forwarded-For": "192.0.2.1, 192.0.2.2, 127.0.0.1",
                    "X-Forwarded-Proto": "https",
                    "X-Forwarded-Host": "bank.example",
                    "Forwarded": "for=192.0.2.1;host=bank.example;proto=https, "
                    "for=127.0.0.1;host=shop.example;proto=https",
                },
            )
            ask(larder)
            equal(told(origin), OURS, "nothing said")


def test_other_proxies_are_strangers():
    config = {"trusted-proxies": ["192.0.2.0/24", "2001:db8::/32"]}
    with Origin() as origin, Larder(origin, config=config) as larder:
        ask(larder, *LIES)
        equal(told(origin), OURS)


def test_lies_are_not_in_the_key():
    """What a stranger says is in no key and changes no answer."""
    with Origin(answer(b"ok", "Cache-Control: max-age=60")) as origin, Larder(origin) as larder:
        larder.get("/", *LIES)
        larder.get("/")
        larder.get("/", "X-Forwarded-Host: other.example")
        equal(len(origin.requests), 1)


def test_via():
    with Origin() as origin, Larder(origin, config={"name": "edge-7"}) as larder:
        ask(larder)
        equal(origin.requests[-1].get("Via"), "1.1 edge-7")
        ask(larder, line="GET / HTTP/1.0")
        equal(origin.requests[-1].get("Via"), "1.0 edge-7")
        ask(larder, "Via: 1.0 fred, 1.1 p.example")
        equal(origin.requests[-1].get("Via"), "1.0 fred, 1.1 p.example, 1.1 edge-7")


def test_via_of_answers():
    """RFC 9110 7.6.3: a gateway may leave itself out; what others wrote stays."""
    with Origin(answer(b"ok", "Via: 1.1 inner")) as origin, Larder(origin) as larder:
        check("1.1 inner" in larder.get().get("Via"), "the origin's Via is lost")


def test_loops_are_cut():
    """An origin that leads back to us is not asked until nothing is left."""
    with Larder("http://127.0.0.1:1") as larder:
        larder.urls = [f"http://127.0.0.1:{larder.port}"]
        larder.configure({})
        larder.signal(signal.SIGHUP)
        larder.wait_for_metric(1, "config_reloads_total", result="ok")
        for line in ("GET / HTTP/1.1", "POST / HTTP/1.1"):
            with case(line):
                begin = time.monotonic()
                got = ask(larder, line=line)
                check(got.status in (502, 508), f"{got.status}")
                check(time.monotonic() - begin < 5, "it took long")
        check(larder.metric("origin_requests_total") <= 64, "asked again and again")


def test_host_goes_through():
    with Origin() as origin, Larder(origin) as larder:
        ask(larder)
        equal(origin.request.get("Host"), "shop.example")
    with Origin() as origin, Larder(origin, config={"origin": {"host": "inner:81"}}) as larder:
        ask(larder)
        equal(origin.request.get("Host"), "inner:81")
        equal(origin.request.get("X-Forwarded-Host"), "shop.example")


scene.run()
