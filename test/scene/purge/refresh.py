#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A soft purge with "refresh": what it made stale is fetched again, what is asked for most first, no
faster than the origin may be asked; the receipt tells how far that is."""

import http.client
import json
import signal
import threading
import time

import scene
from caching import is_hit, lasting, says, wait_until_written, with_store
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import case, check, equal, eventually
from wire import head

LIVES = "max-age=600, stale-while-revalidate=600, stale-if-error=600"


class Book:
    """An origin's reply: its edition; and it writes down when it was asked for what."""

    def __init__(self, *fields, validates=False, tag="all"):
        self.edition, self.validates = 1, validates
        self.fields = (f"Surrogate-Key: {tag}", *fields)
        self.lock = threading.Lock()
        self.asked = []  # (when, request)

    def forget(self):
        with self.lock:
            self.asked = []

    def __call__(self, request, wire):
        with self.lock:
            self.asked.append((time.monotonic(), request))
        etag = f'ETag: "{self.edition}"'
        if self.validates and request.get("If-None-Match"):
            return answer(b"", etag, f"Cache-Control: {LIVES}", status="304 Not Modified")
        return lasting(LIVES, b"%d" % self.edition, etag, *self.fields)

    def targets(self):
        with self.lock:
            return [request.target for _, request in self.asked]

    def busiest(self, seconds):
        """The most requests that came within so many seconds."""
        with self.lock:
            when = [at for at, _ in self.asked]
        return max(sum(at <= one < at + seconds for one in when) for at in when)


def fill(larder, targets, *fields):
    """Asks for all of these over one connection; returns the bodies."""
    bodies = []
    with larder.connect() as wire:
        for target in targets:
            wire.send(head(f"GET {target} HTTP/1.1", "Host: a", *fields))
            bodies.append(wire.read_answer().body)
    return bodies


def post(larder, seconds=30, **order):
    link = http.client.HTTPConnection("127.0.0.1", larder.admin_port, timeout=seconds)
    order = {"tags": ["all"], "mode": "soft"} | order
    link.request("POST", "/v1/purge", json.dumps(order), {"Content-Type": "application/json"})
    got = link.getresponse()
    body = json.loads(got.read())
    equal(got.status, 200, f"{body}")
    return body


def receipt(larder, seq):
    return json.loads(larder.admin(f"/v1/purge/{seq}").body)


def refreshed(larder, rps, **order):
    """A purge of all with a refresh, once that is over; and how long it took."""
    begin = time.monotonic()
    got = post(larder, wait=True, refresh={"origin_rps": rps}, **order)
    equal(got["refresh"]["state"], "done")
    return got["refresh"], time.monotonic() - begin


def test_at_its_rate():
    book = Book()
    targets = [f"/{i}" for i in range(200)]
    with Origin(book) as origin, Larder(origin, workers=2) as larder:
        fill(larder, targets)
        book.forget()
        book.edition = 2
        got, seconds = refreshed(larder, 100)
        equal(got, {"state": "done", "queued": 200, "done": 200, "failed": 0})
        equal(sorted(book.targets()), sorted(targets))
        check(1.5 < seconds < 6, f"200 at 100 a second took {seconds} s")
        # A busy machine may see some late: at another's rate, all 128 that may be on their way.
        check(book.busiest(0.2) <= 2 * 20 + 10, f"{book.busiest(0.2)} in 200 ms")
        book.forget()
        equal(set(fill(larder, targets)), {b"2"})
        equal(book.targets(), [], "all are fresh")
        equal(larder.metric("cache_refreshes_total"), 200)


def test_hottest_first():
    book = Book()
    with Origin(book) as origin, Larder(origin) as larder:
        for i in range(20):
            fill(larder, [f"/{i}"] * (1 + (7 * i) % 20))
        book.forget()
        refreshed(larder, 20)
        # The clock may be a little late: then two go out in one go, and one may overtake another.
        wanted = sorted(range(20), key=lambda i: -((7 * i) % 20))
        places = [abs(wanted.index(int(t[1:])) - at) for at, t in enumerate(book.targets())]
        check(max(places) <= 2, f"{book.targets()} are not in order {wanted}")


def test_variants():
    book = Book("Vary: Accept-Language, Foo")
    ways = [(), ("Foo: x",), ("Foo: y, z", "Accept-Language: de;q=0.5, EN"), ("Foo:",)]
    with Origin(book) as origin, Larder(origin) as larder:
        for way in ways:
            fill(larder, ["/", "/two?b=1&a"], *way)
        book.forget()
        book.edition = 2
        got, _ = refreshed(larder, 100)
        equal((got["queued"], got["done"]), (8, 8))
        seen = {(r.target, r.get("Foo"), r.get("Accept-Language")) for _, r in book.asked}
        equal(len(seen), 8, f"{seen}")
        check(("/", "y,z", "de;q=0.500,en") in seen, f"{seen}")
        check(("/two?b=1&a", "", None) in seen, f"{seen}")
        book.forget()
        for way in ways:
            with case(f"{way}"):
                equal(fill(larder, ["/", "/two?b=1&a"], *way), [b"2", b"2"])
        equal(book.targets(), [], "all are fresh")


def test_not_modified():
    book = Book(validates=True)
    targets = [f"/{i}" for i in range(10)]
    with Origin(book) as origin, Larder(origin) as larder:
        fill(larder, targets)
        book.forget()
        got, _ = refreshed(larder, 100)
        equal((got["queued"], got["done"], got["failed"]), (10, 10, 0))
        equal([r.get("If-None-Match") for _, r in book.asked], ['"1"'] * 10)
        for target in targets:
            check(is_hit(larder.get(target)), "it was confirmed")
        equal(len(book.asked), 10)


def test_who_asks():
    book = Book("Vary: Cookie")
    with Origin(book) as origin, Larder(origin) as larder:
        fill(larder, ["/"], "Cookie: a=1; b=2", "X-Other: of a client", "Range: bytes=0-0")
        fill(larder, ["/"], "Cookie: a=1; b=2", "X-Other: of a client")
        book.forget()
        refreshed(larder, 100)
        (_, request), *more = book.asked
        equal(more, [])
        equal(request.get("Host"), "a")
        equal(request.get("Cookie"), "a=1; b=2")
        equal(request.get("X-Other"), None)
        equal(request.get("X-Forwarded-For"), "127.0.0.1")
        check("larder" in request.get("Via"), "it comes through us")


def test_origin_fails():
    rows = {
        "500": answer(b"", status="500 E"),
        "503": answer(b"", status="503 E"),
        "no answer": CLOSE,
        "cut": (head("HTTP/1.1 200 OK", f"Cache-Control: {LIVES}", "Content-Length: 9") + b"1", CLOSE),
    }
    for name, said in rows.items():
        with case(name), Origin(Book()) as origin, Larder(origin) as larder:
            fill(larder, [f"/{i}" for i in range(5)])
            origin.reply = said
            got, _ = refreshed(larder, 100)
            equal((got["queued"], got["done"], got["failed"]), (5, 0, 5))
            if name != "cut":  # what was published while it came is gone, as after any fetch
                equal(larder.get("/1").body, b"1", "it is there, stale")
    with case("down"), Origin(Book()) as origin, Larder(origin) as larder:
        fill(larder, ["/1", "/2"])
        origin.close()
        got, _ = refreshed(larder, 100)
        equal((got["queued"], got["done"], got["failed"]), (2, 0, 2))
        says(larder.get("/1"), hit=True, detail="stale-while-revalidate")
    with case("not storable"), Origin(Book()) as origin, Larder(origin) as larder:
        fill(larder, ["/1"])
        origin.reply = lasting("no-store", b"for one")
        got, _ = refreshed(larder, 100)
        equal((got["queued"], got["done"], got["failed"]), (1, 0, 1))


def test_somebody_is_faster():
    book = Book()
    with Origin(book) as origin, Larder(origin) as larder:
        fill(larder, [f"/{i}" for i in range(12)])
        seq = post(larder, refresh={"origin_rps": 10})["seq"]
        fill(larder, [f"/{i}" for i in range(12)])
        eventually(lambda: receipt(larder, seq)["refresh"]["state"] == "done", "it did not end")
        got = receipt(larder, seq)["refresh"]
        equal((got["queued"], got["done"], got["failed"]), (12, 12, 0))
        check(len(book.asked) <= 12 + 12 + 1, "what is fresh is not asked for again")
        equal(max(book.targets().count(f"/{i}") for i in range(12)), 2)


def test_two_at_a_time():
    books = {"a": Book(tag="a"), "b": Book(tag="b")}
    with Origin(lambda r, w: books[r.target[1]](r, w)) as origin, Larder(origin) as larder:
        fill(larder, [f"/{kind}{i}" for kind in "ab" for i in range(40)])
        for book in books.values():
            book.forget()
        seqs = [
            post(larder, tags=[tag], refresh={"origin_rps": rps})["seq"]
            for tag, rps in (("a", 40), ("b", 80))
        ]
        ended = lambda seq: receipt(larder, seq)["refresh"]["state"] == "done"
        eventually(lambda: all(ended(seq) for seq in seqs), "they did not end")
        for kind, book in books.items():
            equal(sorted(book.targets()), sorted(f"/{kind}{i}" for i in range(40)))
        check(books["b"].asked[0][0] < books["a"].asked[-1][0], "one waited for the other")
        check(books["a"].busiest(0.2) <= 2 * 8 + 4, f"{books['a'].busiest(0.2)} in 200 ms")


def test_from_disk():
    """What has left RAM by the time that it is its turn is read from disk, and confirmed."""
    book = Book("Vary: Foo", validates=True)
    targets = [f"/{i}" for i in range(20)]
    with Origin(book) as origin, with_store(origin, **{"hot-size": "1m"}) as larder:
        fill(larder, 2 * targets, "Foo: x")
        wait_until_written(larder, len(targets))
        seq = post(larder, refresh={"origin_rps": 5})["seq"]
        eventually(lambda: receipt(larder, seq)["refresh"]["queued"], "nothing is queued")
        origin.reply = lasting(LIVES, bytes(16 * 1024))
        fill(larder, 2 * [f"/large/{i}" for i in range(300)])
        objects = larder.metric("cache_objects", tier="hot")
        check(objects < 100, f"{objects} are in RAM")
        reads = larder.metric("store_reads_total", result="found")
        book.forget()
        origin.reply = book
        eventually(lambda: receipt(larder, seq)["refresh"]["state"] == "done", "it did not end")
        got = receipt(larder, seq)["refresh"]
        equal((got["queued"], got["done"], got["failed"]), (len(targets), len(targets), 0))
        check(book.asked, "all of them came before")
        equal({r.get("If-None-Match") for _, r in book.asked}, {'"1"'})
        check(larder.metric("store_reads_total", result="found") > reads, "none was read")


def test_reload_meanwhile():
    before, after = Book(), Book()
    with Origin(before) as origin, Origin(after) as other, Larder(origin, workers=2) as larder:
        targets = [f"/{i}" for i in range(5000)]
        fill(larder, targets)
        before.forget()
        seq = post(larder, refresh={"origin_rps": 2000})["seq"]
        eventually(lambda: receipt(larder, seq)["refresh"]["done"] > 500, "nothing is refreshed")
        larder.urls = [other.url]
        larder.configure({})
        larder.signal(signal.SIGHUP)
        eventually(lambda: receipt(larder, seq)["refresh"]["state"] == "done", "no end", 15)
        got = receipt(larder, seq)["refresh"]
        equal((got["queued"], got["done"], got["failed"]), (5000, 5000, 0))
        check(before.asked and after.asked, "each origin had its part")
        equal(sorted(before.targets() + after.targets()), sorted(targets))


def test_stop_meanwhile():
    for name in ("SIGTERM", "SIGQUIT"):
        for late in (False, True):
            book = Book()
            with case(f"{name} {late}"), Origin(book) as origin, Larder(origin) as larder:
                fill(larder, [f"/{i}" for i in range(300)])
                if late:  # some are still with the origin
                    origin.reply = lambda request, wire: time.sleep(1)
                seq = post(larder, refresh={"origin_rps": 200})["seq"]
                eventually(lambda: receipt(larder, seq)["refresh"]["queued"] == 300, "no queue")
                time.sleep(0.2)
                begin = time.monotonic()
                larder.signal(getattr(signal, name))
                equal(larder.wait(), 0)
                check(time.monotonic() - begin < 5, "it did not wait for the rest")


scene.run()
