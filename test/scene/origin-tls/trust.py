#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Whom Larder believes to be its origin: only who shows a certificate that a known CA gave for the
name that was configured (RFC 9110 4.3.4). Anybody else gets no request, and the client a 502 that
the log, the metrics and Proxy-Status give the same name (RFC 9209 2.3.16)."""

import signal
import tempfile
from pathlib import Path

import scene
from caching import access_lines
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal, eventually
from secure_origin import Authority, SecureOrigin, self_signed, trusting

FRESH = answer(b"safe", "Cache-Control: no-store")


def served(larder, origin):
    equal((larder.get().status, len(origin.requests)), (200, 1))
    equal(larder.metric("tls_origin_handshakes_total"), 1)


def distrusted(larder, origin):
    """No byte of the request reaches it, and everybody learns why."""
    equal(larder.get().status, 502)
    equal(len(origin.requests), 0)
    equal(larder.metric("origin_failures_total", why="certificate"), 1)
    equal(larder.metric("tls_origin_handshakes_total"), 0)
    (line,) = access_lines(larder.path / "access.log", 1)
    equal(line["failure"], "origin-cert", str(line))
    equal(line["origin"], origin.url.split("//")[1])


def test_a_known_ca():
    with Authority() as ca, SecureOrigin(ca.serve(), FRESH) as origin:
        with trusting(ca, origin) as larder:
            served(larder, origin)


def test_an_unknown_ca():
    with Authority() as ca, Authority("Other CA") as other:
        for name, known in {"another": other, "the system's": None}.items():
            with case(name), SecureOrigin(ca.serve(), FRESH) as origin:
                with trusting(known, origin) as larder:
                    distrusted(larder, origin)


def test_names():
    table = {
        "by address": (("127.0.0.1",), "url", "", True),
        "by name": (("localhost",), "by_name", "", True),
        "by a wildcard": (("*.shop.example",), "url", "a.shop.example", True),
        "another address": (("127.0.0.2",), "url", "", False),
        "another name": (("a.example",), "by_name", "", False),
        "the name for the address": (("localhost",), "url", "", False),
        "told another": (("a.example",), "url", "a.example", True),
        "told a wrong one": (("127.0.0.1",), "url", "a.example", False),
        "a wildcard for two labels": (("*.shop.example",), "url", "a.b.shop.example", False),
    }
    with Authority() as ca:
        for name, (names, address, told, is_good) in table.items():
            with case(name), SecureOrigin(ca.serve(*names), FRESH) as origin:
                origin.url = getattr(origin, address)
                with trusting(ca, origin, server_name=told) as larder:
                    equal(larder.get().status, 200 if is_good else 502)
                    equal(len(origin.requests), int(is_good))
                    asked = told or ("localhost" if address == "by_name" else None)
                    equal(set(origin.names), {asked})


def test_not_the_host_that_is_asked_for():
    """Host is content; whom we talk to is configured (RFC 9110 4.3.3)."""
    config = {"origin": {"host": "shop.example"}}
    with Authority() as ca, SecureOrigin(ca.serve("localhost"), FRESH) as origin:
        with trusting(ca, origin.by_name, config=config) as larder:
            equal(larder.get().status, 200)
        equal((origin.request.get("Host"), origin.names), ("shop.example", ["localhost"]))


def test_expired():
    with Authority() as ca, SecureOrigin(ca.serve(days=-1), FRESH) as origin:
        with trusting(ca, origin) as larder:
            distrusted(larder, origin)


def test_self_signed():
    with tempfile.TemporaryDirectory() as folder:
        context = self_signed(Path(folder))
        with SecureOrigin(context, FRESH) as origin, trusting(None, origin) as larder:
            equal(larder.get().status, 502)
        with SecureOrigin(context, FRESH) as origin, trusting(None, origin, verify=False) as larder:
            served(larder, origin)


def test_files_that_are_not_there():
    """The start says which, and so does a reload, which changes nothing then."""
    with Authority() as ca, SecureOrigin(ca.serve(), FRESH) as origin:
        with trusting(ca, origin) as larder:
            larder.configure({"origin": {"tls": {"ca": "/nowhere/ca.pem"}}})
            larder.signal(signal.SIGHUP)
            larder.wait_for_word("/nowhere/ca.pem")
            equal(larder.get().status, 200)
        larder = trusting(None, origin, ca="/nowhere/ca.pem")
        try:
            larder.start()
        except AssertionError as fault:
            check("/nowhere/ca.pem" in str(fault), str(fault))
        check(larder.wait() != 0, "it started")
        larder.child.stdout.close()
        larder.folder.cleanup()


def test_reload():
    """Other CAs hold for the next connection."""
    with Authority() as ca, Authority() as other, SecureOrigin(ca.serve(), FRESH) as origin:
        with trusting(other, origin) as larder:
            equal(larder.get().status, 502)
            for file, status in ((ca.file, 200), (other.file, 502)):
                larder.configure({"origin": {"tls": {"ca": str(file)}}})
                larder.signal(signal.SIGHUP)
                eventually(lambda: larder.get().status == status, f"not {status}")


def test_plain_beside_secure():
    """Two groups, one of each kind."""
    plain = answer(b"plain", "Cache-Control: no-store")
    with Authority() as ca, SecureOrigin(ca.serve(), FRESH) as safe, Origin(plain) as open_one:
        larder = Larder()
        larder.configure(
            {
                "origins": [
                    {"name": "open", "addresses": [open_one.url]},
                    {"name": "safe", "addresses": [safe.url], "tls": {"ca": str(ca.file)}},
                ],
                "routes": [
                    {"path": "/", "origin": "open"},
                    {"path": "/safe", "origin": "safe"},
                ],
            }
        )
        with larder:
            equal((larder.get("/").body, larder.get("/safe").body), (b"plain", b"safe"))


scene.run()
