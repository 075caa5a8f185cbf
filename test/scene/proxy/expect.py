#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Expect: 100-continue, and expectations that nobody knows (RFC 9110 10.1.1)."""

import scene
from larder import Larder
from origin import Origin
from scene import case, check, equal
from wire import chunked, head

POST = ("POST / HTTP/1.1", "Host: a", "Expect: 100-continue")


def test_the_client_waits():
    table = {
        "length": (["Content-Length: 5"], b"hello"),
        "chunked": (["Transfer-Encoding: chunked"], chunked(b"hello")),
    }
    with Origin() as origin, Larder(origin) as larder:
        for name, (fields, body) in table.items():
            with case(name), larder.connect() as client:
                client.send(head(*POST, *fields))
                equal(client.read_head().status, 100)
                client.send(body)
                got = client.read_answer()
                equal((got.status, got.interim), (200, []))
                equal(origin.requests[-1].body, b"hello")
                equal(origin.requests[-1].get("Expect"), None)


def test_case_does_not_matter():
    with Origin() as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(head("POST / HTTP/1.1", "Host: a", "Expect: 100-Continue", "Content-Length: 1"))
        equal(client.read_head().status, 100)
        client.send(b"x")
        equal(client.read_answer().status, 200)


def test_the_client_does_not_wait():
    """With its body here already, 100 need not be said, but may."""
    with Origin() as origin, Larder(origin) as larder:
        got = larder.ask(*POST, "Content-Length: 5", body=b"hello")
        equal(got.status, 200)
        equal(origin.request.body, b"hello")


def test_nothing_to_wait_for():
    """Without a body there is nothing to go on with."""
    with Origin() as origin, Larder(origin) as larder:
        got = larder.ask("GET / HTTP/1.1", "Host: a", "Expect: 100-continue")
        equal((got.status, got.interim), (200, []))


def test_http_1_0_is_not_told():
    with Origin() as origin, Larder(origin) as larder, larder.connect() as client:
        lines = ("POST / HTTP/1.0", "Host: a", "Expect: 100-continue", "Content-Length: 5")
        client.send(head(*lines))
        check(client.is_quiet(), "an interim answer to HTTP/1.0")
        client.send(b"hello")
        equal(client.read_answer().status, 200)
        equal(origin.request.body, b"hello")


def test_unknown_expectations():
    with Origin() as origin, Larder(origin) as larder:
        for said in ("200-ok", "100-continue, x", "100-continue;q=1", "100-continued", "x"):
            with case(said), larder.connect() as client:
                fields = ["Host: a", f"Expect: {said}", "Content-Length: 5"]
                client.send(head("POST / HTTP/1.1", *fields))
                equal(client.read_answer().status, 417)
                check(client.is_closed(), "still open")
        equal(origin.heard, b"")
        equal(larder.metric("http_refused_total", why="expect-unknown"), 5)


def test_an_answer_instead():
    """An origin that answers at once spares the client its body; the connection ends."""

    def refuse(request, _):
        return head("HTTP/1.1 403 Forbidden", "Content-Length: 0", "Connection: close")

    refuse.takes_body = True
    with Origin(refuse) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(head(*POST, "Content-Length: 1000000"))
        got = client.read_answer()
        equal((got.status, got.get("Connection")), (403, "close"))
        check(client.is_closed(), "still open")


scene.run()
