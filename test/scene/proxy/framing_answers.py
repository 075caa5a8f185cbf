#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Answers of the origin that two readers could understand in two ways: the client gets 502, nothing
is stored, and the connection is used no more (RFC 9112 5.2, 6.3)."""

import scene
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import case, check, equal, eventually
from wire import head

FRESH = "Cache-Control: max-age=60"


def said(line="HTTP/1.1 200 OK", *fields, ending="\r\n", body=b"hello"):
    return ending.join((line, *fields, FRESH, "", "")).encode("latin-1") + body


# RFC 9112 4, RFC 9112 6.1, RFC 9110 10.1.4
HEADS = {
    "two lengths, the same": said("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"),
    "two lengths": said("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 4"),
    "a list of lengths": said("HTTP/1.1 200 OK", "Content-Length: 5, 5"),
    "signed length": said("HTTP/1.1 200 OK", "Content-Length: +5"),
    "negative length": said("HTTP/1.1 200 OK", "Content-Length: -5"),
    "hexadecimal length": said("HTTP/1.1 200 OK", "Content-Length: 0x5"),
    "length 2 to the 64": said("HTTP/1.1 200 OK", "Content-Length: 18446744073709551616"),
    "no length": said("HTTP/1.1 200 OK", "Content-Length: five"),
    "empty length": said("HTTP/1.1 200 OK", "Content-Length:"),
    "length and coding": said("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"),
    "coding and length": said("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5"),
    "chunked twice": said("HTTP/1.1 200 OK", "Transfer-Encoding: chunked, chunked"),
    "two codings": said(
        "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"
    ),
    "gzip": said("HTTP/1.1 200 OK", "Transfer-Encoding: gzip"),
    "gzip, chunked": said("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"),
    "vertical tab": said("HTTP/1.1 200 OK", "Transfer-Encoding: \x0bchunked"),
    "chunked in HTTP/1.0": said("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"),
    "folded": said("HTTP/1.1 200 OK", "X: a", " b"),
    "folded by a tab": said("HTTP/1.1 200 OK", "X: a", "\tb"),
    "no colon": said("HTTP/1.1 200 OK", "no colon here"),
    "no name": said("HTTP/1.1 200 OK", ": x"),
    "space before the colon": said("HTTP/1.1 200 OK", "X : a"),
    "space in a name": said("HTTP/1.1 200 OK", "X Y: a"),
    "space before the first": said("HTTP/1.1 200 OK", " X: a"),
    "bare LF": said("HTTP/1.1 200 OK", "X: a\nY: b"),
    "only bare LF": said("HTTP/1.1 200 OK", ending="\n"),
    "bare CR": said("HTTP/1.1 200 OK", "X: a\rb"),
    "NUL": said("HTTP/1.1 200 OK", "X: a\0b"),
    "control byte": said("HTTP/1.1 200 OK", "X: a\x01b"),
    "delete": said("HTTP/1.1 200 OK", "X: a\x7fb"),
    "another protocol": said("HTP/1.1 200 OK"),
    "RTSP": said("RTSP/1.0 200 OK"),
    "ICE": said("ICE/1.0 200 OK"),
    "HTTP/2": said("HTTP/2 200 OK"),
    "HTTP/2.0": said("HTTP/2.0 200 OK"),
    "HTTP/1.2": said("HTTP/1.2 200 OK"),
    "lower case": said("http/1.1 200 OK"),
    "no version": said("200 OK"),
    "no status": said("HTTP/1.1"),
    "a word as status": said("HTTP/1.1 two hundred OK"),
    "two digits": said("HTTP/1.1 20 OK"),
    "four digits": said("HTTP/1.1 2000 OK"),
    "status 0": said("HTTP/1.1 000 OK"),
    "status 99": said("HTTP/1.1 099 OK"),
    "signed status": said("HTTP/1.1 +200 OK"),
    "two spaces": said("HTTP/1.1  200 OK"),
    "a space before": said(" HTTP/1.1 200 OK"),
    "NUL in the reason": said("HTTP/1.1 200 O\0K"),
    "CR in the reason": said("HTTP/1.1 200 O\rK"),
    "HTTP/0.9": b"<html>hello</html>",
    "noise": bytes(range(255, -1, -1)) + b"\r\n\r\n",
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    "all but the last byte": said()[: -len(b"\nhello")],
    "a request": head("GET / HTTP/1.1", "Host: a"),
    "a large head": said("HTTP/1.1 200 OK", f"X: {'x' * 70000}"),
    "a large status line": said(f"HTTP/1.1 200 {'x' * 70000}"),
    "head without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000,
}

LEGAL = {
    "no reason": said("HTTP/1.1 200 ", "Content-Length: 5"),
    "obs-text in the reason": said("HTTP/1.1 200 \xe4\xff", "Content-Length: 5"),
    "HTTP/1.0": said("HTTP/1.0 200 OK", "Content-Length: 5"),
    "leading zeros": said("HTTP/1.1 200 OK", "Content-Length: 005"),
    "fields in capitals": said("HTTP/1.1 200 OK", "CONTENT-LENGTH: 5"),
    "any status": said("HTTP/1.1 299 Whatever", "Content-Length: 5"),
    "obs-text in a value": said("HTTP/1.1 200 OK", "X: \xe4\xff", "Content-Length: 5"),
}


def test_malformed_heads():
    for name, reply in HEADS.items():
        with case(name), Origin((reply, CLOSE)) as origin, Larder(origin) as larder:
            with larder.connect() as client:
                client.send(head("GET / HTTP/1.1", "Host: a"))
                equal(client.read_answer().status, 502)
                origin.reply = answer(b"well", FRESH)
                client.send(head("GET / HTTP/1.1", "Host: a"))
                got = client.read_answer()
                equal((got.status, got.body), (200, b"well"), "the next request")
            equal(len(origin.wires), 2, "connections to the origin")


def test_legal_heads():
    for name, reply in LEGAL.items():
        with case(name), Origin(reply) as origin, Larder(origin) as larder:
            got = larder.get()
            equal((got.status // 100, got.body), (2, b"hello"))
            equal(larder.get().body, b"hello", "from the cache")
            equal(len(origin.requests), 1)


# What an origin sends behind an answer that ended: nobody asked for it, so nobody may get it
# (RFC 9112 9.2).
SURPLUS = {
    "a second answer": answer(b"first") + answer(b"POISON"),
    "bytes behind a length": answer(b"first") + b"POISON",
    "bytes behind chunks": head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
    + b"5\r\nfirst\r\n0\r\n\r\n" + answer(b"POISON"),
    "a body behind 204": head("HTTP/1.1 204 No Content", "Content-Length: 6") + answer(b"POISON"),
    "a body behind 304": head("HTTP/1.1 304 Not Modified") + answer(b"POISON"),
}


def test_nobody_gets_what_nobody_asked_for():
    for name, reply in SURPLUS.items():
        with case(name), Origin(reply) as origin, Larder(origin) as larder:
            first = larder.get("/1", "Cache-Control: no-store")
            check(b"POISON" not in first.body, "in the first answer")
            origin.reply = answer(b"second")
            equal(larder.get("/2").body, b"second")
            equal(len(origin.wires), 2, "connections to the origin")


def test_a_body_behind_head():
    with Origin(answer(b"POISON" * 10)) as origin, Larder(origin) as larder:
        equal(larder.ask("HEAD /1 HTTP/1.1", "Host: a").status, 200)
        origin.reply = answer(b"second")
        equal(larder.get("/2").body, b"second")


def test_an_answer_before_its_question():
    """What comes on a connection at rest is no answer to the request that is sent next."""
    with Origin(answer(b"first", "Cache-Control: no-store")) as origin, Larder(origin) as larder:
        equal(larder.get().body, b"first")
        origin.reply = answer(b"second")
        origin.wires[0].send(answer(b"POISON"))
        equal(larder.get().body, b"second")
        eventually(lambda: origin.wires[0].sock.fileno() < 0, "the connection is kept")


scene.run()
