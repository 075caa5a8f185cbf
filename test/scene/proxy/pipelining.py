#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Requests sent ahead are answered in their order, however the network cuts them (RFC 9112
9.3.2)."""

import time

import scene
from larder import Larder
from origin import Origin, answer
from scene import equal
from wire import chunked, head


def echo(request, _):
    """Says which request it answers, the earlier ones later."""
    if "slow" in request.target:
        time.sleep(0.3)
    said = f"{request.method} {request.target} ".encode() + request.body
    return answer(said, "Cache-Control: no-store")


def get(target):
    return head(f"GET {target} HTTP/1.1", "Host: a")


def post(target, body):
    return head(f"POST {target} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}") + body


MIXED = [
    (get("/slow"), b"GET /slow "),
    (post("/post", b"eleven byte"), b"POST /post eleven byte"),
    (get("/2"), b"GET /2 "),
    (
        head("PUT /chunks HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
        + chunked(b"one", b"two", trailers=["X-Sum: 6"]),
        b"PUT /chunks onetwo",
    ),
    (b"\r\n" + get("/after-empty-line"), b"GET /after-empty-line "),
    (post("/empty", b""), b"POST /empty "),
    (post("/looks-like-one", get("/smuggled")), b"POST /looks-like-one " + get("/smuggled")),
    (get("/last"), b"GET /last "),
]


def read_all(client):
    return [client.read_answer().body for _ in MIXED]


def test_all_in_one_packet():
    with Origin(echo) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(*(request for request, _ in MIXED))
        equal(read_all(client), [wanted for _, wanted in MIXED])
        equal(len(origin.requests), len(MIXED))


def test_byte_by_byte():
    with Origin(echo) as origin, Larder(origin) as larder, larder.connect() as client:
        for byte in b"".join(request for request, _ in MIXED):
            client.send(bytes([byte]))
        equal(read_all(client), [wanted for _, wanted in MIXED])


def test_cut_at_every_place():
    """Two requests as two packets, the cut anywhere."""
    both, wanted = MIXED[3][0] + MIXED[2][0], [MIXED[3][1], MIXED[2][1]]
    with Origin(echo) as origin, Larder(origin) as larder, larder.connect() as client:
        for cut in range(1, len(both)):
            client.send(both[:cut])
            time.sleep(0.001)
            client.send(both[cut:])
            equal([client.read_answer().body for _ in wanted], wanted, f"cut at {cut}")


def test_more_than_a_buffer():
    """The client sends 2,000 requests, half a megabyte, before it reads."""
    fields = [f"X-{i}: {'v' * 40}" for i in range(5)]
    many = [head(f"GET /{i} HTTP/1.1", "Host: a", *fields) for i in range(2000)]
    with Origin(echo) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(*many)
        for i in range(2000):
            equal(client.read_answer().body, f"GET /{i} ".encode())


def test_close_ends_the_line():
    """What stands behind a request that closes is not answered and does not reach the origin."""
    with Origin(echo) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(head("GET /1 HTTP/1.1", "Host: a", "Connection: close"), get("/2"))
        equal(client.read_answer().body, b"GET /1 ")
        equal(client.read_rest(), b"")
        equal(origin.request.target, "/1")


def test_hits_and_misses_in_order():
    def some_stored(request, _):
        return answer(request.target.encode(), "Cache-Control: max-age=60")

    with Origin(some_stored) as origin, Larder(origin) as larder, larder.connect() as client:
        larder.get("/stored")
        targets = ["/a", "/stored", "/b", "/stored", "/a"]
        client.send(*(get(target) for target in targets))
        equal([client.read_answer().body.decode() for _ in targets], targets)
        equal([request.target for request in origin.requests], ["/stored", "/a", "/b"])


scene.run()
