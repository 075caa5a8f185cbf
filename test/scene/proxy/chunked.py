#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Chunked bodies and trailers, both ways (RFC 9112 7.1)."""

import scene
from larder import Larder
from origin import Origin, answer
from scene import case, equal
from wire import chunked, head

CHUNKED = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Cache-Control: no-store")

# Chunked bodies as senders may write them, and what they come to.
LEGAL = {
    "none": (b"0\r\n\r\n", b""),
    "one": (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "several": (b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", b"abcdef"),
    "leading zeros": (b"0005\r\nhello\r\n000\r\n\r\n", b"hello"),
    "upper case": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "extension": (b"5;name=value\r\nhello\r\n0;last\r\n\r\n", b"hello"),
    "quoted extension": (b'5;name="a value"\r\nhello\r\n0\r\n\r\n', b"hello"),
    "CRLF inside": (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    "an end inside": (b"7\r\n0\r\n\r\n12\r\n0\r\n\r\n", b"0\r\n\r\n12"),
    "trailer": (b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", b"a"),
    "large": (chunked(b"x" * 300000, b"y" * 70000), b"x" * 300000 + b"y" * 70000),
}


def test_requests():
    with Origin() as origin, Larder(origin) as larder:
        for number, (name, (sent, body)) in enumerate(LEGAL.items(), 1):
            with case(name):
                got = larder.ask(
                    "POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body=sent
                )
                equal(got.status, 200)
                equal((origin.requests[-1].framing, origin.requests[-1].body), ("chunked", body))
                equal(len(origin.requests), number)


def test_answers():
    for name, (sent, body) in LEGAL.items():
        with case(name), Origin(CHUNKED + sent) as origin, Larder(origin) as larder:
            with larder.connect() as client:
                for _ in range(2):
                    client.send(head("GET / HTTP/1.1", "Host: a"))
                    got = client.read_answer()
                    equal((got.status, got.body), (200, body))
            equal(len(origin.wires), 1, "connections to the origin")


def test_answers_byte_by_byte():
    def drip(_, wire):
        for byte in CHUNKED + chunked(b"hello", b", world", trailers=["X-Sum: 12"]):
            wire.send(bytes([byte]))

    with Origin(drip) as origin, Larder(origin) as larder:
        equal(larder.get().body, b"hello, world")


def test_request_trailers():
    with Origin() as origin, Larder(origin) as larder:
        larder.ask(
            "POST / HTTP/1.1",
            "Host: a",
            "Transfer-Encoding: chunked",
            "Trailer: X-Sum",
            body=chunked(b"abc", trailers=["X-Sum: 3", "X-Other: y"]),
        )
        equal(origin.request.trailers, [("X-Sum", "3"), ("X-Other", "y")])


def test_answer_trailers():
    said = CHUNKED + chunked(b"abc", trailers=["X-Sum: 3", "X-Other: y"])
    with Origin(said) as origin, Larder(origin) as larder:
        equal(larder.get().trailers, [("X-Sum", "3"), ("X-Other", "y")])


def test_trailers_that_come_too_late():
    """What frames, routes, caches or admits a message means nothing behind it (RFC 9110 6.5.1)."""
    late = [
        "Content-Length: 9",
        "Host: b",
        "Connection: close",
        "Cache-Control: max-age=9",
        "Set-Cookie: a=b",
        "Authorization: Basic eDp5",
        "Content-Encoding: gzip",
        "Vary: *",
        "Client-Cert: :AAAA:",  # who may say so is us alone (RFC 9440 2.4), as with the next ones
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Proto: https",
        "Forwarded: for=192.0.2.1",
        "Via: 1.1 x",
        "Range: bytes=0-1",
    ]
    sent = chunked(b"abc", trailers=[*late, "X-Sum: 3"])
    with Origin(CHUNKED + sent) as origin, Larder(origin) as larder:
        got = larder.ask("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body=sent)
        equal(got.trailers, [("X-Sum", "3")], "answer")
        equal(origin.request.trailers, [("X-Sum", "3")], "request")


def test_stored_chunks_become_a_length():
    """What was stored is whole, so its length is known."""
    said = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Cache-Control: max-age=60")
    with Origin(said + chunked(b"abc", b"def")) as origin, Larder(origin) as larder:
        equal(larder.get().body, b"abcdef")
        got = larder.get()
        equal((got.framing, got.body), ("length", b"abcdef"))
        equal(len(origin.requests), 1)


def test_length_stays_a_length():
    with Origin(answer(b"x" * 100000, "Cache-Control: no-store")) as origin:
        with Larder(origin) as larder:
            got = larder.ask("POST / HTTP/1.1", "Host: a", "Content-Length: 3", body=b"abc")
            equal((got.framing, len(got.body)), ("length", 100000))
            equal((origin.request.framing, origin.request.body), ("length", b"abc"))


def test_too_much_around_a_body():
    """Chunks of one byte with long extensions are a flood, not a body (RFC 9112 7.1.1)."""
    flood = b"1;" + b"e" * 200 + b"\r\na\r\n"
    with Origin() as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))
        client.send(flood * 1000, b"0\r\n\r\n")
        equal(client.read_answer().status, 400)
        equal(origin.requests, [])


scene.run()
