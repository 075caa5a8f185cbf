#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""HEAD and the statuses without a body: no byte follows their head, whatever it announces
(RFC 9112 6.3)."""

import scene
from larder import Larder
from origin import Origin
from scene import case, equal
from wire import head

# Heads of answers to HEAD, and the Content-Length that the client sees.
ANSWERS = {
    "length": (["Content-Length: 1000"], "1000"),
    "no length": ([], None),
    "chunked": (["Transfer-Encoding: chunked"], None),
    "zero": (["Content-Length: 0"], "0"),
}


def test_head():
    for name, (fields, length) in ANSWERS.items():
        reply = head("HTTP/1.1 200 OK", "Cache-Control: no-store", "ETag: \"x\"", *fields)
        with case(name), Origin(reply) as origin, Larder(origin) as larder:
            with larder.connect() as client:
                for _ in range(3):
                    client.send(head("HEAD /x HTTP/1.1", "Host: a"))
                    got = client.read_answer("HEAD")
                    equal((got.status, got.get("Content-Length")), (200, length))
                    equal(got.get("ETag"), '"x"')
            equal([r.method for r in origin.requests], ["HEAD"] * 3)
            equal(len(origin.wires), 1, "connections to the origin")


def test_statuses_without_a_body():
    table = {
        "204": head("HTTP/1.1 204 No Content"),
        "304": head("HTTP/1.1 304 Not Modified", 'ETag: "x"', "Content-Length: 1000"),
    }
    for name, reply in table.items():
        with case(name), Origin(reply) as origin, Larder(origin) as larder:
            with larder.connect() as client:
                for _ in range(3):
                    client.send(head("GET /x HTTP/1.1", "Host: a", 'If-None-Match: "x"'))
                    got = client.read_answer()
                    equal((str(got.status), got.all("Transfer-Encoding")), (name, []))
            equal(len(origin.wires), 1, "connections to the origin")


def test_error_to_head():
    """Our own errors obey too."""
    with Larder("http://127.0.0.1:1") as larder, larder.connect() as client:
        for _ in range(2):
            client.send(head("HEAD / HTTP/1.1", "Host: a"))
            equal(client.read_answer("HEAD").status, 502)


scene.run()
