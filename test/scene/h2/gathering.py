#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What leaves in one write: small bodies and long trailers side by side, and in the order that the
client asked for (RFC 9218)."""

import random
import sys

sys.path.insert(0, "test/scene/lib")
import h2raw
import scene
from h2raw import END_HEADERS, END_STREAM, HEADERS, PRIORITY_UPDATE, SETTINGS, bare, number
from h2raw import request, section, settings
from h2stage import stage
from larder import Larder
from origin import Origin
from scene import case, check, equal
from wire import chunked, head

# Nothing in it that HPACK makes shorter.
LONG = "".join(random.Random(1).choice("!#$%&'*+^`|~<>;{}?XZ") for _ in range(2000))
TRAILERS = [f"X-T{i}: {LONG}" for i in range(10)]


def test_small_bodies_with_long_trailers():
    """However full the write is when a body ends, what follows it has room."""
    replies = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Cache-Control: no-store")
    replies += chunked(b"x" * 4000, trailers=TRAILERS)
    with Origin(replies) as origin, Larder(origin) as larder:
        for count in range(10, 17):
            with case(count), h2raw.connect(larder.port, initial_window_size=0) as client:
                asked = [client.answer_of(client.ask("/")) for _ in range(count)]
                client.read_until(lambda: all(got.status for got in asked), "heads")
                larder.wait_for_metric(0, "origin_connections", state="busy")
                client.frame(SETTINGS, 0, 0, settings(initial_window_size=65535))
                for got in asked:
                    client.read_answer(got.stream)
                    equal((len(got.body), len(got.trailers), got.ended), (4000, 10, True))


def head_of(stream, *fields):
    flags = END_STREAM | END_HEADERS
    return bare(HEADERS, flags, stream, section(request("/big", *fields)))


URGENT = bare(PRIORITY_UPDATE, 0, 0, number(3) + b"u=0")
ORDERS = {
    "a field": [head_of(1), head_of(3, ("priority", "u=0"))],
    "PRIORITY_UPDATE before the request": [URGENT, head_of(1), head_of(3)],
    "PRIORITY_UPDATE behind the request": [head_of(1), head_of(3), URGENT],
}


def test_the_urgent_first():
    """RFC 9218 7.1: a PRIORITY_UPDATE counts as the field does, also for a stream to come."""
    with stage() as (larder, _):
        larder.get("/big")
        for name, frames in ORDERS.items():
            with case(name), h2raw.connect(larder.port, initial_window_size=1 << 20) as client:
                client.next = 5
                client.send(*frames)
                first, urgent = client.answer_of(1), client.answer_of(3)
                client.read_until(lambda: urgent.is_over, "urgent answer")
                check(len(first.body) <= 1 << 17, f"{len(first.body)} bytes of the other before")
                equal((client.read_answer(1).ended, urgent.ended), (True, True))


scene.run()
