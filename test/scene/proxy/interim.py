#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Interim answers: 102 and 103 are passed on and never stored (RFC 9110 15.2, RFC 8297)."""

import threading

import scene
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import case, check, equal
from wire import head

EARLY = head("HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload", "X-Early: yes")
FINAL = answer(b"ok", "Cache-Control: max-age=60")


def lines(got):
    return [(m.status, m.fields) for m in got.interim]


def test_passed_on_at_once():
    """The client has it while the origin still works."""
    go = threading.Event()

    def slowly(_, wire):
        wire.send(EARLY)
        go.wait(10)
        return FINAL

    with Origin(slowly) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(head("GET / HTTP/1.1", "Host: a"))
        early = client.read_head()
        equal(early.status, 103)
        equal(early.get("Link"), "</a.css>; rel=preload")
        go.set()
        equal(client.read_answer().body, b"ok")


def test_never_stored():
    with Origin(EARLY + FINAL) as origin, Larder(origin) as larder:
        equal([m.status for m in larder.get().interim], [103])
        got = larder.get()
        equal((got.interim, got.get("X-Early"), got.body), ([], None, b"ok"))
        equal(len(origin.requests), 1)


def test_several():
    many = head("HTTP/1.1 102 Processing") * 2 + EARLY + head("HTTP/1.1 102 Processing")
    with Origin(many + FINAL) as origin, Larder(origin) as larder:
        equal([m.status for m in larder.get().interim], [102, 102, 103, 102])


def test_one_packet_or_byte_by_byte():
    def drip(_, wire):
        for byte in EARLY + FINAL:
            wire.send(bytes([byte]))

    with Origin(drip) as origin, Larder(origin) as larder:
        got = larder.get()
        equal(([m.status for m in got.interim], got.body), ([103], b"ok"))


def test_not_to_http_1_0():
    with Origin(EARLY + FINAL) as origin, Larder(origin) as larder:
        got = larder.ask("GET / HTTP/1.0", "Host: a")
        equal((got.status, got.interim), (200, []))


def test_hop_by_hop_fields_stay():
    early = head("HTTP/1.1 103 Early Hints", "Connection: x-hop", "X-Hop: 1", "X-Early: yes")
    with Origin(early + FINAL) as origin, Larder(origin) as larder:
        fields = dict(larder.get().interim[0].fields)
        equal(fields, {"X-Early": "yes"})


def test_continue_is_for_us():
    """The origin's 100 is not the client's: whoever expects it gets ours, once."""
    with Origin(head("HTTP/1.1 100 Continue") + FINAL) as origin, Larder(origin) as larder:
        equal(lines(larder.get()), [])
        got = larder.ask("POST / HTTP/1.1", "Host: a", "Content-Length: 2", body=b"hi")
        equal((got.status, lines(got)), (200, []))


def test_floods_and_upgrades_are_failures():
    table = {
        "1xx without end": head("HTTP/1.1 102 Processing") * 1000 + FINAL,
        "101 unasked": head("HTTP/1.1 101 Switching", "Upgrade: x", "Connection: upgrade"),
        "only a 1xx": EARLY,
    }
    for name, reply in table.items():
        with case(name), Origin((reply, CLOSE)) as origin, Larder(origin) as larder:
            got = larder.get()
            equal(got.status, 502)
            check(len(got.interim) <= 20, f"{len(got.interim)} interim answers")


scene.run()
