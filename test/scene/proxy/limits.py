#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""How large a request may be: each limit has its status, closes the connection and is counted; what
is just allowed passes."""

import scene
from larder import Larder
from origin import Origin, takes_body
from scene import case, check, equal
from wire import chunked, head

LIMITS = {"line-size": 256, "head-size": "1k", "head-fields": 10, "body-size": 1000}


def line(size):
    """A request line of that size."""
    return f"GET /{'x' * (size - len('GET / HTTP/1.1'))} HTTP/1.1"


def sized_head(size):
    lines = ["GET / HTTP/1.1", "Host: a", "X: "]
    return head(*lines[:-1], "X: " + "x" * (size - len(head(*lines))))


def fields(count):
    return head("GET / HTTP/1.1", "Host: a", *(f"X-{i}: {i}" for i in range(count - 1)))


def body(size):
    return head("POST / HTTP/1.1", "Host: a", f"Content-Length: {size}") + b"x" * size


def chunks(size):
    lines = head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
    return lines + chunked(b"x" * (size // 2), b"x" * (size - size // 2))


# Makes a request of a size, the limit, the status beyond it, and the metric's word for it.
TABLE = {
    "line": (lambda size: head(line(size), "Host: a"), 256, 414, "line-too-long"),
    "head": (sized_head, 1024, 431, "head-too-large"),
    "fields": (fields, 10, 431, "head-too-large"),
    "body": (body, 1000, 413, "body-too-large"),
    "chunks": (chunks, 1000, 413, "body-too-large"),
}


def test_just_allowed():
    with Origin() as origin, Larder(origin, config={"limits": LIMITS}) as larder:
        for name, (make, limit, *_) in TABLE.items():
            with case(name), larder.connect() as client:
                client.send(make(limit))
                equal(client.read_answer().status, 200)


def test_one_too_many():
    with Origin() as origin, Larder(origin, config={"limits": LIMITS}) as larder:
        for name, (make, limit, status, why) in TABLE.items():
            with case(name), larder.connect() as client:
                before = larder.metric("http_refused_total", why=why)
                client.send(make(limit + 1))
                got = client.read_answer()
                equal((got.status, got.get("Connection")), (status, "close"))
                equal(client.read_rest(), b"", "after the answer")
                equal(larder.metric("http_refused_total", why=why), before + 1, "counted")
        equal(origin.requests, [])


def test_far_too_many():
    """Refused while it comes, not when it is all here; and told, though the client still sends."""
    floods = {
        "line": (b"GET /", b"x" * 1000, 414),
        "field": (b"GET / HTTP/1.1\r\nX: ", b"x" * 1000, 431),
        "fields": (b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 100, 431),
        "chunks": (
            head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"),
            b"64\r\n" + b"x" * 100 + b"\r\n",
            413,
        ),
    }
    with Origin() as origin, Larder(origin, config={"limits": LIMITS}) as larder:
        for name, (begin, more, status) in floods.items():
            with case(name), larder.connect() as client:
                client.send(begin, more * 20)
                equal(client.read_answer().status, status)


def test_the_answer_is_not_lost():
    """A client that goes on sending is not reset, which could take the answer from it before it is
    read (RFC 9112 9.6)."""
    with Origin() as origin, Larder(origin, config={"limits": LIMITS}) as larder:
        with larder.connect() as client:
            client.send(head("POST / HTTP/1.1", "Host: a", f"Content-Length: {4 << 20}"))
            equal(client.read_answer().status, 413)
            for _ in range(4):
                client.send(b"x" * (1 << 20))
            equal(client.sock.recv(1), b"", "after the answer")
        larder.wait_for_metric(0, "http_connections", state="open")


def test_announced_is_enough():
    """A length beyond the limit is refused before its body comes, and before the origin hears."""
    with Origin() as origin, Larder(origin, config={"limits": LIMITS}) as larder:
        for extra in ([], ["Expect: 100-continue"]):
            with case(str(extra)), larder.connect() as client:
                client.send(head("POST / HTTP/1.1", "Host: a", "Content-Length: 1001", *extra))
                got = client.read_answer()
                equal((got.status, got.interim), (413, []))
        equal(origin.heard, b"")


def test_chunks_grow_too_large_on_their_way():
    """The origin has begun to take the body: it sees it cut, the client sees 413."""

    @takes_body
    def take(_, wire):
        wire.read_rest()

    with Origin(take) as origin, Larder(origin, config={"limits": LIMITS}) as larder:
        with larder.connect() as client:
            client.send(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))
            client.send(b"1f4\r\n" + b"x" * 500 + b"\r\n")
            origin.wait_for(1)
            client.send(b"1f5\r\n" + b"x" * 501 + b"\r\n0\r\n\r\n")
            equal(client.read_answer().status, 413)
            check(client.is_closed(), "still open")
        check(not origin.heard.endswith(b"0\r\n\r\n"), "told to the origin as whole")


def test_no_limit():
    with Origin() as origin, Larder(origin, config={"limits": {"body-size": 0}}) as larder:
        size = 2 << 20
        with larder.connect() as client:
            client.send(body(size))
            equal(client.read_answer().status, 200)
        equal(len(origin.request.body), size)


def test_connections():
    """One more is told 503 and closed; when one goes, there is room again."""
    config = {"limits": {"connections": 5}}
    with Origin() as origin, Larder(origin, config=config, workers=2) as larder:
        held = [larder.connect() for _ in range(5)]
        larder.wait_for_metric(5, "http_connections", state="open")
        with larder.connect() as one_more:
            got = one_more.read_answer()
            equal((got.status, got.get("Connection")), (503, "close"))
            check(got.get("Retry-After"), "no Retry-After")
            check(one_more.is_closed(), "still open")
        equal(larder.metric("http_connections_refused_total"), 1)
        held.pop().close()
        larder.wait_for_metric(4, "http_connections", state="open")
        equal(larder.get().status, 200)


scene.run()
