#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""One fetch for any number of clients on any worker (RFC 9111 4): all get the bytes as they come;
who leaves harms nobody; an answer that cannot be shared, or none, makes nobody wait in line; and
both the number of those who wait and their time are bounded."""

import threading
import time

import scene
from caching import Gate, Pages, asked, crowd, is_hit, lasting, says, status, wait_until_asked
from larder import Larder
from origin import CLOSE, Origin
from scene import case, check, equal, eventually
from wire import head

CROWD, WORKERS = 200, 4
NO_STORE = "no-store"


def test_one_request():
    """200 clients on 4 workers: the origin sees one request."""
    gate = Gate(lasting("max-age=60", b"shared"))
    with Origin(gate) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, CROWD, "/") as wires:
            larder.wait_for_metric(CROWD - 1, "cache_waits_total")
            gate.open()
            answers = [wire.read_answer() for wire in wires]
        equal({got.body for got in answers}, {b"shared"})
        equal(len(origin.requests), 1)
        said = [status(got) for got in answers]
        equal(sum(s.get("collapsed", False) for s in said), CROWD - 1)
        equal(sum(s.get("stored", False) for s in said), 1, "one of them stored it")
        check(all(s["fwd"] == "uri-miss" for s in said), "fwd")
        equal(larder.metric("cache_results_total", result="collapsed"), CROWD - 1)
        equal(larder.metric("cache_results_total", result="miss"), 1)
        check(is_hit(larder.get("/")), "stored")


def test_one_request_however_it_races():
    """With an origin that answers at once, the fetch ends while others are between their look into
    the cache and their claim: they look again and do not ask."""
    keys = 150
    with Origin(lasting("max-age=600", b"x")) as origin, Larder(origin, workers=WORKERS) as larder:
        start = threading.Barrier(8)

        def ask():
            with larder.connect() as wire:
                for key in range(keys):
                    start.wait(10)
                    wire.send(head(f"GET /{key} HTTP/1.1", "Host: a"))
                    wire.read_answer()

        crew = [threading.Thread(target=ask) for _ in range(8)]
        for one in crew:
            one.start()
        for one in crew:
            one.join()
        more = [key for key in range(keys) if len(asked(origin, f"/{key}")) != 1]
        equal(more, [], "asked for more than once")


def test_bytes_as_they_come():
    """All see the first bytes long before the origin sends the last ones."""
    gate = threading.Event()

    def trickle(_, wire):
        wire.send(
            head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", "Content-Length: 10"), b"first"
        )
        gate.wait(15)
        return b"later"

    with Origin(trickle) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, CROWD, "/") as wires:
            for wire in wires:
                check(wire.read_until(b"first").startswith(b"HTTP/1.1 200"), "its head")
            with larder.connect() as late:  # one that comes when the head is there already
                late.send(head("GET / HTTP/1.1", "Host: a"))
                late.read_until(b"first")
                gate.set()
                equal(late.read_exactly(5), b"later")
            for wire in wires:
                equal(wire.read_exactly(5), b"later")
        equal(len(origin.requests), 1)


def test_chunks_as_they_come():
    """The same where no length is announced."""
    gate = threading.Event()

    def trickle(_, wire):
        wire.send(
            head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked"),
            b"5\r\nfirst\r\n",
        )
        gate.wait(15)
        return b"5\r\nlater\r\n0\r\n\r\n"

    with Origin(trickle) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, 20, "/") as wires:
            for wire in wires:
                wire.read_until(b"first")
            gate.set()
            for wire in wires:
                wire.read_until(b"later")
        equal(len(origin.requests), 1)
        equal(larder.get("/").body, b"firstlater")


def test_a_large_body_to_all():
    """Byte for byte, to readers of every speed."""
    body = bytes((i * 31 + i // 65521) % 256 for i in range(3_000_000))
    with Origin(lasting("max-age=60", body)) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, 16, "/") as wires:
            for wire in wires:
                check(wire.read_answer().body == body, "other bytes")
        equal(len(origin.requests), 1)


# ---- those who leave ----


def test_the_first_one_leaves():
    """The client that the fetch began for goes away, before the answer or within its body: the
    others get all of it, and it is stored."""
    for when in ("before the head", "within the body"):
        gate = threading.Event()

        def slow(_, wire, gate=gate, when=when):
            start = (
                head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", "Content-Length: 10")
                + b"first"
            )
            if when != "before the head":
                wire.send(start)
                start = b""
            gate.wait(15)
            return start + b"later"

        with case(when), Origin(slow) as origin, Larder(origin, workers=WORKERS) as larder:
            with larder.connect() as first:
                first.send(head("GET / HTTP/1.1", "Host: a"))
                wait_until_asked(origin, "/")
                if when != "before the head":
                    first.read_until(b"first")
                with crowd(larder, 20, "/") as wires:
                    if when == "before the head":
                        larder.wait_for_metric(20, "cache_waits_total")
                    else:
                        for wire in wires:
                            wire.read_until(b"first")
                    first.reset()
                    larder.wait_for_metric(1, "http_requests_aborted_total")
                    gate.set()
                    for wire in wires:
                        wire.read_until(b"later")
            equal(larder.get("/").body, b"firstlater")
            equal(len(origin.requests), 1)


def test_all_leave():
    """A fetch that was begun is finished for those who come next."""
    gate = Gate(lasting("max-age=60", b"body"))
    with Origin(gate) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, 10, "/") as wires:
            larder.wait_for_metric(9, "cache_waits_total")
            for wire in wires:
                wire.reset()
            larder.wait_for_metric(10, "http_requests_aborted_total")
        gate.open()
        got = larder.get("/")
        equal(got.body, b"body")
        equal(len(origin.requests), 1)


def test_one_who_waits_leaves():
    gate = Gate(lasting("max-age=60", b"body"))
    with Origin(gate) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, 10, "/") as wires:
            larder.wait_for_metric(9, "cache_waits_total")
            for wire in wires[5:]:
                wire.reset()
            larder.wait_for_metric(5, "http_requests_aborted_total")
            gate.open()
            for wire in wires[:5]:
                equal(wire.read_answer().body, b"body")
        equal(len(origin.requests), 1)


# ---- answers that are not to be shared ----


def test_an_uncacheable_answer_releases():
    """Those who waited for it go to the origin side by side, not one after the other."""
    together = threading.Barrier(19)
    gate = Gate(lasting(NO_STORE, b"one"))

    def rest(*_):
        together.wait(10)  # passes only when all of them are at the origin at the same time
        return lasting(NO_STORE, b"other")

    with Origin(Pages({"/": [gate, rest]})) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, 20, "/") as wires:
            larder.wait_for_metric(19, "cache_waits_total")
            gate.open()
            answers = [wire.read_answer() for wire in wires]
        equal(sorted(got.body for got in answers), [b"one"] + [b"other"] * 19)
        with case("RFC 9211 2.7: each went alone"):
            equal(sum(status(got).get("collapsed") is True for got in answers), 0)
        equal(len(origin.requests), 20)


def test_what_must_be_validated_is_not_shared():
    """RFC 9111 4, 5.2.2.4: an answer to be validated on each use is for the one that asked, though it
    may be stored: those who waited ask for themselves."""
    for control in ("no-cache", "max-age=0"):
        gate = Gate(
            lambda r, _, control=control: lasting(
                control, (r.get("Cookie") or "?").encode(), 'ETag: "x"'
            )
        )
        with case(control), Origin(gate) as origin, Larder(origin, workers=WORKERS) as larder:
            wires = [larder.connect() for _ in range(6)]
            for number, wire in enumerate(wires):
                wire.send(head("GET / HTTP/1.1", "Host: a", f"Cookie: {number}"))
            larder.wait_for_metric(5, "cache_waits_total")
            gate.open()
            for number, wire in enumerate(wires):
                equal(wire.read_answer().body, str(number).encode())
            equal(len(origin.requests), 6)


def test_a_private_answer_is_not_shared():
    """What one user's request brought is for nobody else, wait as they may."""
    gate = Gate(lambda r, _: lasting("private, max-age=60", (r.get("Cookie") or "?").encode()))
    with Origin(gate) as origin, Larder(origin, workers=WORKERS) as larder:
        wires = [larder.connect() for _ in range(12)]
        for number, wire in enumerate(wires):
            wire.send(head("GET / HTTP/1.1", "Host: a", f"Cookie: {number}"))
        larder.wait_for_metric(11, "cache_waits_total")
        gate.open()
        for number, wire in enumerate(wires):
            equal(wire.read_answer().body, b"%d" % number)
            wire.close()


def test_a_failed_fetch():
    """It fails for all who wait, at once and alike; nobody asks again for each of them."""
    table = {
        "closed": (lambda *_: CLOSE, 502),
        "half a head": (lambda *_: (b"HTTP/1.1 200 OK\r\nX", CLOSE), 502),
        "no HTTP": (lambda *_: b"220 smtp\r\n\r\n", 502),
        "too slow": (lambda *_: time.sleep(1), 504),
    }
    config = {"origin": {"first-byte-timeout": "700ms"}}
    for name, (failure, code) in table.items():
        gate = Gate(failure)
        with case(name), Origin(gate) as origin, Larder(
            origin, workers=WORKERS, config=config
        ) as larder:
            with crowd(larder, CROWD, "/") as wires:
                larder.wait_for_metric(CROWD - 1, "cache_waits_total")
                begin = time.monotonic()
                if name != "too slow":
                    gate.open()
                answers = [wire.read_answer() for wire in wires]
                check(time.monotonic() - begin < 5, "one after the other")
            check(len(origin.requests) <= 2, f"{len(origin.requests)} requests at the origin")
            statuses = [got.status for got in answers]
            equal(statuses.count(code), CROWD, f"alike: {sorted(set(statuses))}")
            for got in answers:
                says(got, hit=None, stored=None, fwd="uri-miss")
            gate.open()


def test_a_body_that_fails():
    """The answer began and was cut: everyone's is cut, nobody's ends as if it were whole."""
    gate = threading.Event()

    def cut(_, wire):
        wire.send(
            head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked"),
            b"5\r\nfirst\r\n",
        )
        gate.wait(15)
        return CLOSE

    with Origin(cut) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, 20, "/") as wires:
            for wire in wires:
                wire.read_until(b"first")
            gate.set()
            for wire in wires:
                check(b"0\r\n\r\n" not in wire.read_rest(), "it ended as if it were whole")
        equal(len(origin.requests), 1)
        origin.reply = lasting("max-age=60", b"whole")
        equal(larder.get("/").body, b"whole")


# ---- bounds ----


def test_the_wait_is_bounded():
    """wait-timeout: who waited so long goes alone, and says why."""
    gate = Gate(lasting("max-age=60", b"late"))
    pages = Pages({"/": [gate, lasting("max-age=60", b"alone")]})
    with Origin(pages) as origin, Larder(
        origin, config={"cache": {"wait-timeout": "200ms"}}
    ) as larder:
        with larder.connect() as first:
            first.send(head("GET / HTTP/1.1", "Host: a"))
            wait_until_asked(origin, "/")
            begin = time.monotonic()
            got = larder.get("/")
            took = time.monotonic() - begin
            equal(got.body, b"alone")
            says(got, fwd="uri-miss", detail="wait-timeout", collapsed=None)
            check(0.15 < took < 5, f"after {took:.2f} s")
            gate.open()
            equal(first.read_answer().body, b"late")


def test_the_waiters_are_bounded():
    """waiters: one more goes alone at once."""
    gate = Gate(lasting("max-age=60", b"shared"))
    pages = Pages({"/": [gate, lasting("max-age=60", b"alone")]})
    with Origin(pages) as origin, Larder(origin, config={"cache": {"waiters": 3}}) as larder:
        with crowd(larder, 1, "/") as first:
            wait_until_asked(origin, "/")
            with crowd(larder, 3, "/") as wires:
                larder.wait_for_metric(3, "cache_waits_total")
                for _ in range(2):
                    got = larder.get("/")
                    equal(got.body, b"alone")
                    says(got, fwd="uri-miss", detail="wait-limit", collapsed=None)
                gate.open()
                for wire in (*first, *wires):
                    equal(wire.read_answer().body, b"shared")
        equal(len(origin.requests), 3)


def test_one_who_left_makes_room():
    gate = Gate(lasting("max-age=60", b"shared"))
    with Origin(gate) as origin, Larder(origin, config={"cache": {"waiters": 1}}) as larder:
        with crowd(larder, 1, "/"):
            wait_until_asked(origin, "/")
            with crowd(larder, 1, "/") as wires:
                larder.wait_for_metric(1, "cache_waits_total")
                wires[0].reset()
                larder.wait_for_metric(1, "http_requests_aborted_total")
            with crowd(larder, 1, "/") as other:
                larder.wait_for_metric(2, "cache_waits_total")
                gate.open()
                equal(other[0].read_answer().body, b"shared")
        equal(len(origin.requests), 1)


# ---- validation and others ----


def test_validation_is_collapsed_too():
    gate = Gate(head("HTTP/1.1 304 Not Modified", "Cache-Control: max-age=60"))
    stale = lasting("max-age=10", b"body", "Age: 20", 'ETag: "x"')
    with Origin(Pages({"/": [stale, gate]})) as origin, Larder(origin, workers=WORKERS) as larder:
        larder.get("/")
        with crowd(larder, 50, "/") as wires:
            larder.wait_for_metric(49, "cache_waits_total")
            gate.open()
            for wire in wires:
                got = wire.read_answer()
                equal((got.status, got.body, status(got)["fwd"]), (200, b"body", "stale"))
        equal(len(origin.requests), 2)


def test_everyones_own_question():
    """What is fetched once is judged for each who asked: its condition, its range, its method."""
    body = b"0123456789"
    gate = Gate(lasting("max-age=60", body, 'ETag: "x"'))
    with Origin(gate) as origin, Larder(origin) as larder:
        with crowd(larder, 1, "/"):
            wait_until_asked(origin, "/")
            with crowd(larder, 1, "/", 'If-None-Match: "x"') as condition, crowd(
                larder, 1, "/"
            ) as whole:
                larder.wait_for_metric(2, "cache_waits_total")
                gate.open()
                equal(condition[0].read_answer().status, 304)
                equal(whole[0].read_answer().body, body)
        equal(len(origin.requests), 1)


def test_different_keys_do_not_wait():
    """One slow answer holds up nobody who asks for something else."""
    gate = Gate(lasting("max-age=60", b"slow"))
    with Origin(Pages({"/slow": gate, None: lasting("max-age=60", b"quick")})) as origin, Larder(
        origin
    ) as larder:
        with crowd(larder, 1, "/slow") as wires:
            wait_until_asked(origin, "/slow")
            for number in range(20):
                equal(larder.get(f"/{number}").body, b"quick")
            gate.open()
            equal(wires[0].read_answer().body, b"slow")


def test_nothing_is_left_behind():
    """After all that no fetch and no request is under way."""
    with Origin(lasting("max-age=60", b"x")) as origin, Larder(origin, workers=WORKERS) as larder:
        with crowd(larder, 50, "/") as wires:
            for wire in wires:
                wire.read_answer()
        larder.wait_for_metric(0, "cache_fetches_under_way")
        eventually(lambda: larder.metric("http_requests_under_way") == 0, "requests under way")


scene.run()
