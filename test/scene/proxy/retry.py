#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A kept connection may die under a request: what is idempotent is sent once more, on a new one;
nothing else is, and nothing twice (RFC 9110 9.2.2, RFC 9112 9.3.1)."""

import threading

import scene
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import case, equal
from wire import head

KEPT = answer(b"ok", "Cache-Control: no-store")


def dies_when_reused(how):
    """Answers the first request of a connection, and dies of the second, when that is here."""
    served = {}

    def reply(request, wire):
        served[wire] = served.get(wire, 0) + 1
        if served[wire] == 1 and "always" not in request.target:
            return KEPT
        if how == "reset":
            wire.reset()
        elif how == "mid-head":
            wire.send(KEPT[:10])
        return CLOSE

    return reply


def test_by_method():
    """Methods, their body, and whether they are sent again."""
    table = [
        ("GET", b"", True),
        ("HEAD", b"", True),
        ("OPTIONS", b"", True),
        ("PUT", b"", False),
        ("DELETE", b"", False),
        ("POST", b"", False),
        ("POST", b"body", False),
        ("PATCH", b"body", False),
        ("PUT", b"body", False),
        ("QUERY", b"", False),
    ]
    for how in ("close", "reset"):
        for method, body, is_retried in table:
            with case(f"{how}, {method} {body}"), Origin(dies_when_reused(how)) as origin:
                with Larder(origin) as larder:
                    larder.get("/warm")
                    lines = (f"{method} /x HTTP/1.1", "Host: a", f"Content-Length: {len(body)}")
                    equal(larder.ask(*lines, body=body).status, 200 if is_retried else 502)
                    asked = [request.target for request in origin.requests]
                    equal(asked, ["/warm", "/x", "/x"] if is_retried else ["/warm", "/x"])
                    equal(larder.metric("origin_retries_total"), int(is_retried))


def test_once_only():
    """A request that kills each connection is asked twice, not for ever."""
    with Origin(dies_when_reused("close")) as origin, Larder(origin) as larder:
        larder.get("/warm")
        equal(larder.get("/always").status, 502)
        equal([r.target for r in origin.requests], ["/warm", "/always", "/always"])


def test_the_second_time_on_a_new_connection():
    """The other kept ones are likely as dead as the first."""
    all_here, then = threading.Barrier(5), dies_when_reused("close")

    def reply(request, wire):
        if "warm" in request.target:
            all_here.wait(10)
        return then(request, wire)

    with Origin(reply) as origin, Larder(origin) as larder:
        warm = [larder.connect() for _ in range(5)]
        for i, client in enumerate(warm):
            client.send(head(f"GET /warm/{i} HTTP/1.1", "Host: a"))
        for client in warm:
            equal(client.read_answer().status, 200)
            client.close()
        larder.wait_for_metric(5, "origin_connections", state="idle")
        origin.forget()
        equal(larder.get("/x").status, 200)
        equal([request.target for request in origin.requests], ["/x", "/x"])


def test_not_on_a_new_connection():
    """What dies on a new connection did not die of its age."""
    with Origin(dies_when_reused("close")) as origin, Larder(origin) as larder:
        equal(larder.get("/always").status, 502)
        equal(len(origin.requests), 1)


def test_not_after_the_first_byte():
    with Origin(dies_when_reused("mid-head")) as origin, Larder(origin) as larder:
        larder.get("/warm")
        equal(larder.get("/x").status, 502)
        equal([r.target for r in origin.requests], ["/warm", "/x"])


def test_closed_before_it_is_asked():
    """A connection that the origin has closed is not used at all, so POST is safe too."""
    reply = (KEPT, CLOSE)
    with Origin(reply) as origin, Larder(origin) as larder:
        for i in range(5):
            got = larder.ask(f"POST /{i} HTTP/1.1", "Host: a", "Content-Length: 2", body=b"hi")
            equal(got.status, 200)
            scene.eventually(lambda: larder.metric("origin_connections", state="idle") == 0, "kept")
        equal(len(origin.requests), 5)
        equal(larder.metric("origin_retries_total"), 0)


scene.run()
