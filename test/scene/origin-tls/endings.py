#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""How answers end over TLS. One that ends with its connection is whole only when TLS says that this
is the end: a bare end may be the work of somebody on the way (RFC 8446 6.1, RFC 9112 9.8)."""

import scene
from origin import CLOSE, answer
from scene import case, check, equal
from secure_origin import Authority, SecureOrigin, trusting
from wire import Cut, chunked, head

LASTING = "Cache-Control: max-age=60"
PART = b"a" * 50000
WELL = answer(b"well", LASTING)


def cutting(*parts):
    """A reply behind which the connection is cut."""

    def reply(_, wire):
        wire.send(*parts)
        wire.cut()
        return CLOSE

    return reply


def test_until_the_end():
    with Authority() as ca:
        reply = (head("HTTP/1.1 200 OK", LASTING) + PART, CLOSE)
        with SecureOrigin(ca.serve(), reply) as origin, trusting(ca, origin) as larder:
            for _ in range(2):
                equal(larder.get().body, PART)
            equal(len(origin.requests), 1)


def test_cut():
    table = {
        "until the end": head("HTTP/1.1 200 OK", LASTING),
        "length": head("HTTP/1.1 200 OK", LASTING, "Content-Length: 100000"),
        "chunks": head("HTTP/1.1 200 OK", LASTING, "Transfer-Encoding: chunked") + b"c350\r\n",
    }
    with Authority() as ca:
        for name, begin in table.items():
            with case(name), SecureOrigin(ca.serve(), cutting(begin, PART)) as origin:
                with trusting(ca, origin) as larder:
                    try:
                        got = larder.get()
                        check(got.status == 502, f"told as whole, {len(got.body)} bytes")
                    except Cut:
                        pass
                    equal(larder.metric("origin_failures_total", why="truncated"), 1)
                    origin.reply = WELL
                    equal(larder.get().body, b"well", "the next request")


def test_whole_all_the_same():
    """A body that says itself where it ends needs no word of TLS."""
    table = {
        "length": answer(b"well", LASTING),
        "chunks": head("HTTP/1.1 200 OK", LASTING, "Transfer-Encoding: chunked") + chunked(b"well"),
    }
    with Authority() as ca:
        for name, reply in table.items():
            with case(name), SecureOrigin(ca.serve(), cutting(reply)) as origin:
                with trusting(ca, origin) as larder:
                    for _ in range(2):
                        equal(larder.get().body, b"well")
                    equal(len(origin.requests), 1)


def test_large():
    body = bytes(range(256)) * 20000
    with Authority() as ca, SecureOrigin(ca.serve(), answer(body, LASTING)) as origin:
        with trusting(ca, origin) as larder:
            for _ in range(2):
                equal(larder.get().body == body, True)
            equal(len(origin.requests), 1)
            fields = ("POST / HTTP/1.1", "Host: a", f"Content-Length: {len(body)}")
            equal(larder.ask(*fields, body=body).status, 200)
            equal(origin.requests[1].body == body, True)


scene.run()
