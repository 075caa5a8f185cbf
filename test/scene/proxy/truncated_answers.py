#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""An answer that ends early is never told as whole and never stored (RFC 9112 8, RFC 9111 3.3)."""

import threading

import scene
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import case, check, equal
from wire import Cut, head

LENGTH = head("HTTP/1.1 200 OK", "Content-Length: 100000", "Cache-Control: max-age=60")
CHUNKED = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Cache-Control: max-age=60")
PART = b"a" * 50000
CHUNK = b"c350\r\n" + PART + b"\r\n"

TRUNCATED = {
    "length, no byte": LENGTH,
    "length, a half": LENGTH + PART,
    "length, all but one": LENGTH + b"a" * 99999,
    "chunks, none": CHUNKED,
    "chunks, no last": CHUNKED + CHUNK,
    "chunks, a half": CHUNKED + CHUNK[:1000],
    "chunks, in a size": CHUNKED + CHUNK + b"c3",
    "chunks, behind one": CHUNKED + CHUNK[:-2],
    "chunks, last without its end": CHUNKED + CHUNK + b"0\r\n",
    "chunks, in the last": CHUNKED + CHUNK + b"0",
    "chunks, in a trailer": CHUNKED + CHUNK + b"0\r\nX: y",
    "chunks, behind a trailer": CHUNKED + CHUNK + b"0\r\nX: y\r\n",
}

MALFORMED = {
    "no number": CHUNKED + CHUNK + b"xyz\r\nhi\r\n0\r\n\r\n",
    "negative": CHUNKED + CHUNK + b"-1\r\nhi\r\n0\r\n\r\n",
    "too large": CHUNKED + CHUNK + b"10000000000000002\r\nhi\r\n0\r\n\r\n",
    "longer than it says": CHUNKED + CHUNK + b"2\r\nhello\r\n0\r\n\r\n",
    "no CRLF behind": CHUNKED + CHUNK + b"2\r\nhi0\r\n\r\n",
    "bare LF": CHUNKED + CHUNK + b"2\nhi\n0\n\n",
    "bare LF behind a chunk": CHUNKED + CHUNK + b"2\r\nhi\n0\r\n\r\n",
    "bare CR": CHUNKED + CHUNK + b"2\rhi\r0\r\r",
    "another answer": CHUNKED + CHUNK + answer(b"POISON"),
    "folded trailer": CHUNKED + CHUNK + b"0\r\nX: a\r\n b\r\n\r\n",
    "trailer without a colon": CHUNKED + CHUNK + b"0\r\nabc\r\n\r\n",
    "trailer with a space": CHUNKED + CHUNK + b"0\r\nX : a\r\n\r\n",
    "LF for the end": CHUNKED + CHUNK + b"0\r\n\n",
}


def cut(larder, *lines):
    """Asks for an answer and expects to see that it is not whole."""
    with larder.connect() as client:
        client.send(head(*lines))
        try:
            got = client.read_answer()
        except Cut:
            return
        equal(got.status, 502, f"told as whole, {len(got.body)} bytes by {got.framing}")


def cut_and_forget(table):
    for name, reply in table.items():
        with case(name), Origin((reply, CLOSE)) as origin, Larder(origin) as larder:
            cut(larder, "GET / HTTP/1.1", "Host: a")
            origin.reply = answer(b"well", "Cache-Control: max-age=60")
            equal(larder.get().body, b"well", "the next request")
            equal(len(origin.requests), 2)


def test_truncated():
    cut_and_forget(TRUNCATED)


def test_malformed():
    cut_and_forget(MALFORMED)


def test_not_stored():
    """An answer for one client alone is cut as well."""
    for name in ("length, a half", "chunks, no last"):
        reply = TRUNCATED[name].replace(b"max-age=60", b"no-store")
        with case(name), Origin((reply, CLOSE)) as origin, Larder(origin) as larder:
            cut(larder, "GET / HTTP/1.1", "Host: a")
            cut(larder, "POST / HTTP/1.1", "Host: a", "Content-Length: 0")


def test_http_1_0():
    """Where only the connection's end says that a body is whole, a cut is a reset."""
    for name in ("chunks, no last", "chunks, a half"):
        for store in (b"max-age=60", b"no-store"):
            reply = TRUNCATED[name].replace(b"max-age=60", store)
            with case(f"{name}, {store.decode()}"), Origin((reply, CLOSE)) as origin:
                with Larder(origin) as larder, larder.connect() as client:
                    client.send(head("GET / HTTP/1.0", "Host: a"))
                    check(ends_by_reset(client.sock), "a cut body ends as a whole one does")


def ends_by_reset(sock):
    try:
        while sock.recv(1 << 16):
            pass
        return False
    except ConnectionResetError:
        return True


def test_reset_by_the_origin():
    def reset(_, wire):
        wire.send(LENGTH + PART)
        wire.reset()
        return CLOSE

    with Origin(reset) as origin, Larder(origin) as larder:
        cut(larder, "GET / HTTP/1.1", "Host: a")
        origin.reply = answer(b"well", "Cache-Control: max-age=60")
        equal(larder.get().body, b"well")


def test_until_the_connection_closes():
    """Without length and chunks the end is the end."""
    reply = head("HTTP/1.1 200 OK") + PART
    with Origin((reply, CLOSE)) as origin, Larder(origin) as larder, larder.connect() as client:
        for _ in range(2):
            client.send(head("GET / HTTP/1.1", "Host: a"))
            got = client.read_answer()
            equal((got.framing, got.body), ("chunked", PART))


def test_all_who_wait_are_cut():
    """Clients that joined the fetch see the cut too."""
    go = threading.Event()

    def half(_, wire):
        wire.send(LENGTH + PART)
        go.wait(10)
        return CLOSE

    with Origin(half) as origin, Larder(origin, workers=2) as larder:
        clients = [larder.connect() for _ in range(8)]
        for client in clients:
            client.send(head("GET / HTTP/1.1", "Host: a"))
        for client in clients:
            equal(client.read_head().status, 200)
        go.set()
        for client in clients:
            equal(client.read_rest(), PART)
            client.close()
        equal(len(origin.requests), 1)


scene.run()
