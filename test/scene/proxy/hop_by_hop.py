#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Fields of one hop, and those that Connection names, stay on their hop, both ways (RFC 9110
7.6.1)."""

import scene
from larder import Larder
from origin import Origin, answer
from scene import case, equal

HOP = [
    "Connection: x-hop, X-Other",
    "X-Hop: 1",
    "x-other: 2",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "TE: trailers, gzip",
    "Trailer: X-Sum",
    "Upgrade: websocket",
    "HTTP2-Settings: AAMAAABk",
    "Proxy-Authorization: Basic eDp5",
    "Proxy-Authenticate: Basic",
    "Proxy-Authentication-Info: x",
]
STAYS = ["X-End: 3", "X-Hopper: 4", "Accept: */*"]


def names(fields):
    return {name.lower() for name, _ in fields}


def gone(fields):
    left = names(fields) & {line.split(":")[0].lower() for line in HOP}
    equal(left, set(), "fields of another hop")
    kept = {line.split(":")[0].lower() for line in STAYS}
    equal(kept - names(fields), set(), "lost fields")


def test_requests():
    with Origin() as origin, Larder(origin) as larder:
        for line in ("GET / HTTP/1.1", "POST / HTTP/1.1", "GET /10 HTTP/1.0"):
            with case(line):
                larder.ask(line, "Host: a", "Cache-Control: no-cache", *HOP, *STAYS)
                gone(origin.requests[-1].fields)


def test_answers():
    for control in ("no-store", "max-age=60"):
        reply = answer(b"ok", *HOP, *STAYS, f"Cache-Control: {control}")
        with case(control), Origin(reply) as origin, Larder(origin) as larder:
            gone(larder.get().fields)
            gone(larder.get().fields)  # with max-age, from the cache


def test_connection_cannot_name_what_we_need():
    """A name that means something end to end is not dropped at a stranger's word."""
    pinned = ["Host", "Content-Length", "Content-Type", "Authorization", "Cookie", "Via"]
    with Origin() as origin, Larder(origin) as larder:
        larder.ask(
            "POST / HTTP/1.1",
            "Host: a",
            f"Connection: {', '.join(pinned)}",
            "Content-Length: 2",
            "Content-Type: text/plain",
            "Authorization: x",
            "Cookie: x",
            body=b"hi",
        )
        lost = {name.lower() for name in pinned} - names(origin.request.fields)
        equal(lost, set(), "lost fields")
        equal(origin.request.body, b"hi")


def test_odd_lists():
    """Members, empty ones and white space (RFC 9110 5.6.1)."""
    with Origin() as origin, Larder(origin) as larder:
        for said in ("x-hop", "X-HOP", ", x-hop ,", "a,,x-hop\t,b", "close, x-hop"):
            with case(said):
                fields = [f"Connection: {said}", "X-Hop: 1", "X-End: 2"]
                larder.get("/", "Cache-Control: no-cache", *fields)
                equal(origin.requests[-1].all("X-Hop"), [])
                equal(origin.requests[-1].all("X-End"), ["2"])


def test_several_lines():
    with Origin() as origin, Larder(origin) as larder:
        larder.get("/", "Connection: x-1", "X-1: a", "X-2: b", "Connection: x-2", "X-2: c")
        equal(names(origin.request.fields) & {"x-1", "x-2"}, set())


scene.run()
