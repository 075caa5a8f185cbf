#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""One handshake serves many requests, and a session many connections (RFC 8446 2.2)."""

import ssl
import time

import scene
from origin import CLOSE, answer
from scene import case, check, equal
from secure_origin import Authority, SecureOrigin, trusting

FRESH = answer(b"safe", "Cache-Control: no-store")
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def test_kept():
    """Session tickets, which come to a connection that is kept already, do not cost it."""
    with Authority() as ca:
        for version in VERSIONS:
            with case(version.name), SecureOrigin(ca.serve(version=version), FRESH) as origin:
                with trusting(ca, origin) as larder:
                    for i in range(20):
                        equal(larder.get(f"/{i}").body, b"safe")
                        time.sleep(0.01 if i < 3 else 0)
                    equal(len(origin.resumed), 1)
                    equal(larder.metric("origin_reuses_total"), 19)
                    equal(larder.metric("origin_connections", state="idle"), 1)


def test_resumed():
    with Authority() as ca:
        for version in VERSIONS:
            with case(version.name):
                context = ca.serve(version=version)
                with SecureOrigin(context, (FRESH, CLOSE)) as origin:
                    with trusting(ca, origin) as larder:
                        for i in range(5):
                            equal(larder.get(f"/{i}").status, 200)
                            scene.eventually(
                                lambda: larder.metric("origin_connections", state="idle") == 0,
                                "kept though it was closed",
                            )
                        equal(origin.resumed, [False, True, True, True, True])
                        equal(larder.metric("tls_origin_handshakes_total"), 5)
                        equal(larder.metric("tls_origin_resumed_total"), 4)


def test_not_resumed_elsewhere():
    """A session is of one address; another that shows the same name does not get it."""
    with Authority() as ca, SecureOrigin(ca.serve(), (FRESH, CLOSE)) as one:
        with SecureOrigin(ca.serve(), (FRESH, CLOSE)) as two:
            with trusting(ca, one, two) as larder:
                for i in range(4):
                    equal(larder.get(f"/{i}").status, 200)
                    time.sleep(0.05)
            equal((one.resumed, two.resumed), ([False, True], [False, True]))


def test_forgotten():
    """An origin that was started anew knows no session: the handshake is a full one, no failure."""
    with Authority() as ca, SecureOrigin(ca.serve(), (FRESH, CLOSE)) as origin:
        with trusting(ca, origin) as larder:
            equal(larder.get("/1").status, 200)
            origin.close()
            with SecureOrigin(ca.serve(), (FRESH, CLOSE), origin.port) as again:
                for i in range(3):
                    equal(larder.get(f"/{i}").status, 200)
                    time.sleep(0.05)
                equal(again.resumed, [False, True, True])


def test_closed_while_kept():
    with Authority() as ca, SecureOrigin(ca.serve(), FRESH) as origin:
        with trusting(ca, origin) as larder:
            equal(larder.get("/1").status, 200)
            origin.wires[0].close()
            larder.wait_for_metric(0, "origin_connections", state="idle")
            equal(larder.ask("POST / HTTP/1.1", "Host: a", "Content-Length: 0").status, 200)
            equal(len(origin.resumed), 2)


def test_unasked_bytes():
    """What a kept connection says is nobody's answer (RFC 9112 9.2)."""
    with Authority() as ca, SecureOrigin(ca.serve(), FRESH) as origin:
        with trusting(ca, origin) as larder:
            equal(larder.get("/1").status, 200)
            origin.wires[0].send(answer(b"POISON"))
            larder.wait_for_metric(0, "origin_connections", state="idle")
            got = larder.get("/2")
            check(got.body == b"safe", f"{got.body}")


scene.run()
