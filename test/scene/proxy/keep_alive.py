#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Which connections live on after an answer, to clients and to the origin (RFC 9112 9.3)."""

import scene
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import case, check, equal
from wire import chunked, head

GET = "GET /{} HTTP/1.1"


def test_http_1_1_lives_on():
    with Origin(answer(b"ok", "Cache-Control: no-store")) as origin, Larder(origin) as larder:
        with larder.connect() as client:
            for i in range(20):
                client.send(head(GET.format(i), "Host: a"))
                got = client.read_answer()
                equal((got.status, got.body, got.get("Connection")), (200, b"ok", None))
            equal(len(origin.wires), 1, "connections to the origin")


def test_who_ends_it():
    """Request lines and fields, and whether the connection lives on."""
    table = [
        ("GET / HTTP/1.1", ["Host: a"], True),
        ("GET / HTTP/1.1", ["Host: a", "Connection: keep-alive"], True),
        ("GET / HTTP/1.1", ["Host: a", "Connection: close"], False),
        ("GET / HTTP/1.1", ["Host: a", "Connection: Close"], False),
        ("GET / HTTP/1.1", ["Host: a", "Connection: x-hop, close"], False),
        ("GET / HTTP/1.1", ["Host: a", "Connection: x-hop", "Connection: close"], False),
        ("GET / HTTP/1.1", ["Host: a", "Connection: keep-alive, close"], False),
        ("GET / HTTP/1.0", ["Host: a"], False),
        ("GET / HTTP/1.0", [], False),
        ("GET / HTTP/1.0", ["Host: a", "Connection: keep-alive"], True),
        ("GET / HTTP/1.0", ["Host: a", "Connection: Keep-Alive"], True),
        ("GET / HTTP/1.0", ["Host: a", "Connection: keep-alive, close"], False),
    ]
    with Origin() as origin, Larder(origin) as larder:
        for line, fields, lives in table:
            with case(f"{line} {fields}"), larder.connect() as client:
                client.send(head(line, *fields))
                got = client.read_answer()
                equal(got.body, b"ok")
                said = (got.get("Connection") or "").lower()
                wanted = "close" if not lives else "keep-alive" if line.endswith("1.0") else ""
                equal(said, wanted, "Connection")
                if not lives:
                    check(client.is_closed(), "still open")
                    continue
                client.send(head(line, *fields))
                equal(client.read_answer().body, b"ok", "second answer")


def test_http_1_0_gets_no_chunks():
    """A body of unknown length ends with the connection, whatever the client asked for."""
    reply = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + chunked(b"abc", b"de")
    with Origin(reply) as origin, Larder(origin) as larder:
        for fields in (["Host: a"], ["Host: a", "Connection: keep-alive"]):
            with case(str(fields)), larder.connect() as client:
                client.send(head("GET /live HTTP/1.0", "Cache-Control: no-store", *fields))
                got = client.read_answer()
                equal((got.framing, got.body), ("close", b"abcde"))
                equal(got.get("Connection"), "close")


def test_a_number_of_requests():
    """limits.requests: the last one says that it is."""
    with Origin() as origin, Larder(origin, config={"limits": {"requests": 3}}) as larder:
        with larder.connect() as client:
            for i, said in enumerate((None, None, "close")):
                client.send(head(GET.format(i), "Host: a"))
                equal(client.read_answer().get("Connection"), said, f"request {i + 1}")
            check(client.is_closed(), "still open")


def test_origin_that_closes():
    """An origin that ends its connections costs a new one, and nothing else."""
    table = {
        "says so": (answer(b"ok", "Connection: close", "Cache-Control: no-store"), CLOSE),
        "does not say so": (answer(b"ok", "Cache-Control: no-store"), CLOSE),
        "HTTP/1.0": (answer(b"ok", "Cache-Control: no-store").replace(b"1.1", b"1.0", 1), CLOSE),
        "until it closes": (head("HTTP/1.1 200 OK", "Cache-Control: no-store") + b"ok", CLOSE),
    }
    for name, reply in table.items():
        with case(name), Origin(reply) as origin, Larder(origin) as larder:
            with larder.connect() as client:
                for i in range(5):
                    client.send(head(GET.format(i), "Host: a"))
                    equal(client.read_answer().body, b"ok")
            equal(len(origin.requests), 5)


scene.run()
