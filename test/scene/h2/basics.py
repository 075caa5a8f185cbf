#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by prior knowledge: what HTTP/1 serves is served, and streams share a connection."""

import hashlib
import sys
import time

sys.path.insert(0, "test/scene/lib")
import scene
from h2wire import H2, PREFACE, SettingsFrame, get, request
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal
from wire import chunked, head

FRESH = ("Cache-Control: max-age=60", 'ETag: "v"', "Content-Type: text/plain")
BODY = bytes(range(256)) * 8


def serve(request, wire):
    if request.target.startswith("/big"):
        return answer(b"B" * (10 << 20), *FRESH)
    if request.target.startswith("/interim"):
        return head("HTTP/1.1 103 Early Hints", "Link: </a.css>") + answer(b"ok", "X-Up: Case")
    if request.target.startswith("/trailers"):
        lines = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
        return lines + chunked(b"one", b"two", trailers=["X-Sum: 6"])
    if request.target.startswith("/echo"):
        return answer(request.body, f"X-Sum: {hashlib.sha256(request.body).hexdigest()}")
    if request.target.startswith("/told"):
        return answer(request.head)
    if request.target.startswith("/empty"):
        return head("HTTP/1.1 204 No Content")
    return answer(BODY, *FRESH)


def test_forms_of_an_answer():
    with Origin(serve) as origin, Larder(origin) as larder, H2(larder) as h2:
        h2.ask(1, get("/x"))
        miss = h2.answer(1)
        equal((miss.status, bytes(miss.body), miss.get("x-cache")), (200, BODY, "MISS"))
        h2.ask(3, get("/x"))
        hit = h2.answer(3)
        equal((hit.status, bytes(hit.body), hit.get("x-cache")), (200, BODY, "HIT"))
        equal(hit.get("content-length"), str(len(BODY)))
        check(all(name == name.lower() for name, _ in hit.final), f"upper case in {hit.final}")
        h2.ask(5, request("HEAD", "/x"))
        equal((h2.answer(5).status, h2.answer(5).body), (200, b""))
        equal(h2.answer(5).get("content-length"), str(len(BODY)))
        h2.ask(7, get("/x", ("if-none-match", '"v"')))
        equal((h2.answer(7).status, h2.answer(7).body), (304, b""))
        h2.ask(9, get("/x", ("range", "bytes=5-9")))
        equal((h2.answer(9).status, bytes(h2.answer(9).body)), (206, BODY[5:10]))
        h2.ask(11, get("/empty"))
        equal((h2.answer(11).status, h2.answer(11).body), (204, b""))
        equal(len([r for r in origin.requests if r.target == "/x"]), 1)


def test_bodies_up_and_down():
    with Origin(serve) as origin, Larder(origin) as larder, H2(larder) as h2:
        sent = b"0123456789abcdef" * (10 << 16)
        h2.ask(1, request("POST", "/echo"), sent)
        up = h2.answer(1)
        equal(up.get("x-sum"), hashlib.sha256(sent).hexdigest())
        check(bytes(up.body) == sent, "the body came back otherwise")
        h2.ask(3, request("PUT", "/echo", ("content-length", "5")), b"hello")
        equal(bytes(h2.answer(3).body), b"hello")
        equal(origin.requests[-1].get("Content-Length"), "5")
        h2.ask(5, request("POST", "/echo"), b"")
        equal(bytes(h2.answer(5).body), b"")
        h2.ask(7, get("/big"))
        equal(len(h2.answer(7).body), 10 << 20)
        h2.ask(9, get("/big"))
        equal((len(h2.answer(9).body), h2.answer(9).get("x-cache")), (10 << 20, "HIT"))


def test_interim_and_trailers():
    with Origin(serve) as origin, Larder(origin) as larder, H2(larder) as h2:
        h2.ask(1, get("/interim"))
        got = h2.answer(1)
        equal([dict(one)[":status"] for one in got.interim], ["103"])
        equal(dict(got.interim[0])["link"], "</a.css>")
        equal((got.status, got.get("x-up")), (200, "Case"))
        h2.ask(3, get("/trailers"))
        equal((bytes(h2.answer(3).body), h2.answer(3).trailers), (b"onetwo", [("x-sum", "6")]))
        late = [("x-late", "1"), ("host", "b"), ("vary", "b")]
        h2.ask(5, request("POST", "/told"), b"body", late)
        equal(h2.answer(5).status, 200)
        equal(origin.requests[-1].trailers, [("x-late", "1")])
        h2.ask(7, request("POST", "/echo", ("expect", "100-continue")))
        h2.send(h2.head(9, request("POST", "/echo", ("expect", "100-continue")), ends=False))
        h2.until(lambda: 9 in h2.answers and h2.answers[9].heads)
        equal(dict(h2.answers[9].heads[0]), {":status": "100"})
        h2.send_body(9, b"now")
        equal(bytes(h2.answer(9).body), b"now")


def test_what_the_origin_is_told():
    with Origin(serve) as origin, Larder(origin) as larder, H2(larder) as h2:
        crumbs = [("cookie", f"c{i}=1") for i in range(150)]
        h2.ask(1, get("/told?q=1", *crumbs, ("te", "trailers"), ("x-a", "b")))
        equal(h2.answer(1).status, 200)
        heard = origin.request
        equal(heard.line, "GET /told?q=1 HTTP/1.1")
        equal(heard.get("Host"), "a")
        equal(heard.get("Cookie"), "; ".join(value for _, value in crumbs))
        equal((heard.get("TE"), heard.get("X-A")), (None, "b"))
        equal(heard.get("Via"), "2.0 larder")
        check(not [name for name, _ in heard.fields if name.startswith(":")], "a pseudo field")


def test_hundred_streams_at_once():
    with Origin(serve) as origin, Larder(origin) as larder, H2(larder) as h2:
        for i in range(100):
            h2.send(h2.head(2 * i + 1, get(f"/x{i % 10}")))
        for i in range(100):
            equal((h2.answer(2 * i + 1).status, bytes(h2.answer(2 * i + 1).body)), (200, BODY))
        equal(len(origin.requests), 10)


def test_first_bytes():
    with Origin(serve) as origin, Larder(origin) as larder:
        with case("in pieces"), larder.connect() as wire:
            for byte in PREFACE + SettingsFrame(0).serialize():
                wire.send(bytes([byte]))
                time.sleep(0.001)
            equal(wire.read_exactly(9)[3:5], b"\4\0")
        with case("almost"), larder.connect() as wire:
            wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!")
            equal(wire.read_answer().status, 505)
        with case("not first"), larder.connect() as wire:
            wire.send(head("GET /x HTTP/1.1", "Host: a"))
            equal(wire.read_answer().status, 200)
            wire.send(PREFACE)
            equal(wire.read_answer().status, 505)
    with Origin(serve) as origin, Larder(origin, config={"limits": {"h2": False}}) as larder:
        with case("switched off"), larder.connect() as wire:
            wire.send(PREFACE)
            equal(wire.read_answer().status, 505)


scene.run()
