#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Handshakes with origins that go well, badly, or nowhere: each has a name (RFC 9209 2.3), none
takes longer than configured, and where there is another address it is asked instead."""

import ssl
import time
from contextlib import ExitStack

import scene
from origin import Origin, answer
from scene import case, check, equal
from secure_origin import Authority, Mute, SecureOrigin, trusting

FRESH = answer(b"safe", "Cache-Control: no-store")
POST = ("POST / HTTP/1.1", "Host: a", "Content-Length: 2")


def test_versions():
    table = {
        "1.2": (ssl.TLSVersion.TLSv1_2, "1.2", 200),
        "1.3": (ssl.TLSVersion.TLSv1_3, "1.2", 200),
        "1.3 asked of 1.3": (ssl.TLSVersion.TLSv1_3, "1.3", 200),
        "1.3 asked of 1.2": (ssl.TLSVersion.TLSv1_2, "1.3", 502),
    }
    with Authority() as ca:
        for name, (version, least, status) in table.items():
            with case(name), SecureOrigin(ca.serve(version=version), FRESH) as origin:
                with trusting(ca, origin, min_version=least) as larder:
                    equal(larder.get().status, status)
                    failed = larder.metric("origin_failures_total", why="tls")
                    equal(failed, 0 if status == 200 else 1)


def test_our_certificate():
    """An origin that asks who we are gets the configured certificate."""
    with Authority() as ca:
        cert, key = ca.sign("larder.example")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ca.serve(version=version)
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(ca.file)
            with case(f"{version.name}, shown"), SecureOrigin(context, FRESH) as origin:
                with trusting(ca, origin, cert=str(cert), key=str(key)) as larder:
                    equal(larder.ask(*POST, body=b"hi").status, 200)
                (peer,) = origin.peers
                equal(peer["subjectAltName"], (("DNS", "larder.example"),))
            with case(f"{version.name}, none"), SecureOrigin(context, FRESH) as origin:
                with trusting(ca, origin) as larder:
                    equal(larder.ask(*POST, body=b"hi").status, 502)
                    equal(larder.metric("origin_failures_total", why="tls"), 1)
                equal(len(origin.requests), 0)


def test_plain_http():
    """An origin that answers a handshake in plain HTTP, as most servers do."""

    class Plain(Origin):
        def serve(self, wire):
            wire.read_some()
            wire.send(answer(b"no", status="400 Bad Request"))
            wire.close()

    with Authority() as ca, Plain() as origin:
        with trusting(ca, f"https://127.0.0.1:{origin.port}") as larder:
            equal(larder.get().status, 502)
            equal(larder.metric("origin_failures_total", why="tls"), 1)


def test_closed_at_once():
    class Closing(Origin):
        def serve(self, wire):
            wire.close()

    with Authority() as ca, Closing() as origin:
        with trusting(ca, f"https://127.0.0.1:{origin.port}") as larder:
            equal(larder.get().status, 502)
            equal(larder.metric("origin_failures_total", why="tls"), 1)


def test_slow():
    with Authority() as ca, Mute() as mute:
        with trusting(ca, mute, handshake_timeout="200ms") as larder:
            began = time.monotonic()
            equal(larder.get().status, 504)
            check(time.monotonic() - began < 5, "later than it should")
            equal(larder.metric("origin_failures_total", why="timeout"), 1)


def test_the_next_address():
    """Also for what must not be asked twice: nothing was asked yet."""
    with ExitStack() as stack:
        ca, other = (stack.enter_context(Authority()) for _ in range(2))
        plain = stack.enter_context(Origin(FRESH))
        mute = stack.enter_context(Mute())
        bad = {
            "distrusted": stack.enter_context(SecureOrigin(other.serve(), FRESH)),
            "expired": stack.enter_context(SecureOrigin(ca.serve(days=-1), FRESH)),
            "plain": f"https://127.0.0.1:{plain.port}",
            "mute": mute,
        }
        for name, first in bad.items():
            with case(name), SecureOrigin(ca.serve(), FRESH) as good:
                with trusting(ca, first, good, handshake_timeout="200ms") as larder:
                    for _ in range(4):
                        equal(larder.ask(*POST, body=b"hi").status, 200)
                    equal(len(good.requests), 4)
                    for why in ("tls", "certificate", "timeout"):
                        equal(larder.metric("origin_failures_total", why=why), 0)


scene.run()
