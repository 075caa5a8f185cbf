#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""The tags of answers: read off fields, paths and JSON bodies, kept with what is stored, and not
shown to clients. What is tagged by its body is in the cache once the whole body was read, and not a
moment before: a purge could miss it. So its own client gets it as it comes, and others wait."""

import gzip
import json
import os
import socket
import subprocess
import threading
from pathlib import Path
from urllib.parse import quote

import scene
from caching import Pages, asked, crowd, is_hit, lasting, restart, says, status, with_store
from caching import wait_until_asked, wait_until_written
from larder import Larder
from origin import CLOSE, Origin
from scene import case, check, equal, eventually
from wire import Wire, chunked, head

LARDERCTL = os.environ.get("LARDERCTL") or str(Path(__file__).parents[3] / "build/larderctl")
MIB = 1024 * 1024
RULES = [
    {"tag": "page-{id}", "path": "/page/{id}"},
    {"tag": "of-{}", "field": "X-Of"},
    {"tag": "item-{}", "json": "$.items[*].id"},
]
BODY = json.dumps({"items": [{"id": 7}, {"id": "b"}, {"id": 7}]}).encode()
JSON = "Content-Type: application/json; charset=utf-8"


def tagged(origin, rules=RULES, workers=1, **tags):
    cache = {"tags": {"rules": rules} | tags}
    return Larder(origin, workers=workers, config={"cache": cache})


def stored(larder, target):
    """The answers stored for it."""
    got = larder.admin("/v1/object?url=" + quote(f"http://a{target}", safe=""))
    if got.status == 404:
        return []
    return [one for one in json.loads(got.body)["objects"] if one["kind"] == "answer"]


def tags(larder, target):
    """Of the one answer that is stored, once it is."""
    (found,) = eventually(lambda: stored(larder, target), f"{target} is not stored")
    equal(found["tags_count"], len(found["tags"]), "tags_count")
    return sorted(found["tags"])


def document(body=BODY, *fields):
    return lasting("max-age=600", body, JSON, *fields)


def in_chunks(*parts, control="max-age=600", trailers=()):
    fields = (JSON, f"Cache-Control: {control}", "Transfer-Encoding: chunked")
    return head("HTTP/1.1 200 OK", *fields) + chunked(*parts, trailers=trailers)


def purge(larder, **what):
    body = json.dumps(what).encode()
    with Wire(socket.create_connection(("127.0.0.1", larder.admin_port))) as wire:
        wire.send(head("POST /v1/purge HTTP/1.1", "Host: admin", "Connection: close",
                       "Content-Type: application/json", f"Content-Length: {len(body)}"), body)  # fmt: skip
        equal(wire.read_answer("POST").status, 200, "purge")


# ---- heads ----

FIELDS = {
    "Surrogate-Key": ("one two  one", ["one", "two"]),
    "Cache-Tag": ("one, two words,,one", ["one", "two words"]),
    "xkey": ("one\ttwo", ["one", "two"]),
    "Edge-Cache-Tag": ("one,two", ["one", "two"]),
    "Cache-Groups": ('"one", "a, b"', ["a, b", "one"]),
}


def test_fields():
    """Each in its own way of writing; none of them reaches the client, from a miss or a hit."""
    pages = {f"/{n}": lasting("max-age=600", b"x", f"{n}: {v}", "X-Other: 1")
             for n, (v, _) in FIELDS.items()}  # fmt: skip
    with Origin(Pages(pages)) as origin, tagged(origin) as larder:
        for name, (_, wanted) in FIELDS.items():
            with case(name):
                for hit in (False, True):
                    got = larder.get(f"/{name}")
                    equal((is_hit(got), got.get(name), got.get("X-Other")), (hit, None, "1"))
                equal(tags(larder, f"/{name}"), wanted)


def test_forward():
    with Origin(Pages({
        "/": lasting("max-age=600", b"x", "Surrogate-Key: a b", "xkey: c"),
        "/private": lasting("private", b"x", "Surrogate-Key: a b"),
    })) as origin, tagged(origin, forward=True) as larder:  # fmt: skip
        for target in ("/", "/", "/private"):
            equal(larder.get(target).get("Surrogate-Key"), "a b", target)
        equal(tags(larder, "/"), ["a", "b", "c"])


def test_not_stored_is_stripped_too():
    with Origin(lasting("private", b"x", "Surrogate-Key: a")) as origin, tagged(origin) as larder:
        equal(larder.get("/").get("Surrogate-Key"), None)


def test_rules():
    """Of the path, of a field, of the body: with those that the answer names itself."""
    with Origin(document(BODY, "X-Of: x, y", "xkey: own")) as origin, tagged(origin) as larder:
        got = larder.get("/page/5?q=1")
        equal((got.body, got.get("X-Of")), (BODY, "x, y"))
        says(got, fwd="uri-miss", stored=None, detail=None)
        wanted = ["item-7", "item-b", "of-x", "of-y", "own", "page-5"]
        equal(tags(larder, "/page/5?q=1"), wanted)
        got = larder.get("/page/5?q=1")
        check(is_hit(got), "a hit")
        equal(got.body, BODY)
        equal(origin.request.get("Accept-Encoding"), "identity")
        wire = subprocess.run(
            [LARDERCTL, "--admin", f"127.0.0.1:{larder.admin_port}",
             "object", "get", "http://a/page/5?q=1"],
            capture_output=True, timeout=20, check=True,
        )  # fmt: skip
        check(all(tag in wire.stdout.decode() for tag in wanted), wire.stdout.decode())


def test_shown():
    """A hundred of them at most, and how many there are."""
    names = " ".join(f"t{i}" for i in range(150))
    with Origin(lasting("max-age=600", b"x", f"xkey: {names}")) as origin, tagged(origin) as larder:
        larder.get("/")
        (found,) = stored(larder, "/")
        equal((found["tags_count"], len(found["tags"]), found["tags"][0]), (150, 100, "t0"))
        (listed,) = json.loads(larder.admin("/v1/objects").body)["objects"]
        equal((listed["tags_count"], "tags" in listed), (150, False))
        done = subprocess.run(
            [LARDERCTL, "--admin", f"127.0.0.1:{larder.admin_port}", "object", "get", "http://a/"],
            capture_output=True, timeout=20, check=True,
        )  # fmt: skip
        check("t99, and 50 more\n" in done.stdout.decode(), done.stdout.decode())


def test_too_many():
    """An answer with more than are kept is not stored: whole in its head, or with its body."""
    many = " ".join(f"tag-{i}" for i in range(60))
    ids = json.dumps({"items": [{"id": f"tag-{i}"} for i in range(60)]}).encode()
    with Origin(Pages({
        "/head": lasting("max-age=600", b"x", f"xkey: {many}"),
        "/body": document(ids),
    })) as origin, tagged(origin, **{"max-bytes": 256}) as larder:  # fmt: skip
        says(larder.get("/head"), stored=None, detail="tags-too-large")
        equal(larder.get("/body").body, ids)
        eventually(lambda: larder.metric("cache_untagged_total") == 1, "it was not given up")
        equal((stored(larder, "/head"), stored(larder, "/body")), ([], []))
        says(larder.get("/body"), fwd="uri-miss", detail="known-uncacheable")


# ---- bodies ----


def test_framing():
    """However the body comes, and whatever is behind it."""
    big = json.dumps({"items": [{"id": i} for i in range(9)], "pad": "x" * 900_000}).encode()
    items = [f"item-{i}" for i in range(9)]
    close = head("HTTP/1.1 200 OK", JSON, "Cache-Control: max-age=600") + BODY
    with Origin(Pages({
        "/chunked": in_chunks(BODY[:9], BODY[9:10], BODY[10:]),
        "/trailers": in_chunks(BODY, trailers=("X-Sum: 1",)),
        "/close": (close, CLOSE),
        "/big": document(big),
        "/big-chunks": in_chunks(*(big[i : i + 7777] for i in range(0, len(big), 7777))),
        "/suffix": lasting("max-age=600", BODY, "Content-Type: application/ld+json"),
        "/none": document(b""),
        "/html": lasting("max-age=600", BODY, "Content-Type: text/html"),
    })) as origin, tagged(origin) as larder:  # fmt: skip
        table = {"/chunked": (BODY, ["item-7", "item-b"]), "/trailers": (BODY, ["item-7", "item-b"]),
                 "/close": (BODY, ["item-7", "item-b"]), "/big": (big, items),
                 "/big-chunks": (big, items), "/suffix": (BODY, ["item-7", "item-b"]),
                 "/none": (b"", []), "/html": (BODY, [])}  # fmt: skip
        for target, (body, wanted) in table.items():
            with case(target):
                equal(larder.get(target).body, body)
                equal(tags(larder, target), wanted)
                got = larder.get(target)
                equal((is_hit(got), got.body), (True, body))
        equal(larder.metric("cache_untagged_total"), 0)


def test_unreadable():
    """What cannot be searched is not stored: an encoded body, no JSON, too much of it. Its client
    gets it all the same."""
    packed = gzip.compress(BODY)
    large = json.dumps({"pad": "x" * (5 * MIB)}).encode()
    with Origin(Pages({
        "/gzip": document(packed, "Content-Encoding: gzip"),
        "/identity": document(BODY, "Content-Encoding: identity"),
        "/bad": document(b'{"items": ['),
        "/large": document(large),
        "/large-chunks": in_chunks(*(large[i : i + MIB] for i in range(0, len(large), MIB))),
    })) as origin, tagged(origin) as larder:  # fmt: skip
        table = {
            "/gzip": (packed, "tags-unreadable"),
            "/large": (large, "tags-too-large"),
            "/bad": (b'{"items": [', None),
            "/large-chunks": (large, None),
        }
        for target, (body, detail) in table.items():
            with case(target):
                before = larder.metric("cache_untagged_total")
                got = larder.get(target, "Accept-Encoding: gzip")
                equal(got.body, body)
                says(got, stored=None, detail=detail)
                if not detail:
                    larder.wait_for_metric(before + 1, "cache_untagged_total")
                equal(stored(larder, target), [])
        # nobody waits for what could not be stored a moment ago
        says(larder.get("/bad"), fwd="uri-miss", detail="known-uncacheable")
        larder.get("/identity")
        equal(tags(larder, "/identity"), ["item-7", "item-b"])


def test_plain_is_asked_for():
    """Only where rules read bodies."""
    with Origin(document()) as origin:
        for rules, wanted in ((RULES, "identity"), (RULES[:2], "gzip")):
            with case(wanted), tagged(origin, rules) as larder:
                origin.forget()
                larder.get("/", "Accept-Encoding: gzip")
                equal(origin.request.get("Accept-Encoding"), wanted)
                tags(larder, "/")
                equal(larder.get("/", "Accept-Encoding: br").get("Cache-Status")[:11], "larder; hit")


# ---- others who want it ----


class Slow:
    """A JSON answer whose second half waits for the scene."""

    def __init__(self, *fields, end=BODY[10:], control="max-age=600"):
        self.head = head("HTTP/1.1 200 OK", JSON, f"Cache-Control: {control}", *fields,
                         f"Content-Length: {len(BODY)}")  # fmt: skip
        self.end = end
        self.door = threading.Event()

    def __call__(self, request, wire):
        wire.send(self.head + BODY[:10])
        self.door.wait(20)
        wire.send(self.end)
        return CLOSE if len(self.end) + 10 < len(BODY) else b""


def test_collapsed():
    """The first gets its bytes as they come; others wait for the end; one request is asked."""
    slow = Slow()
    with Origin(slow) as origin, tagged(origin, workers=2) as larder:
        with crowd(larder, 1, "/") as [first]:
            early = first.read_head()
            equal(first.read_exactly(10), BODY[:10], "at once")
            with crowd(larder, 20, "/") as others:
                larder.wait_for_metric(20, "cache_waits_total")
                check(others[0].is_quiet(), "it was shown before its tags were known")
                equal(stored(larder, "/"), [])
                slow.door.set()
                equal(first.read_exactly(len(BODY) - 10), BODY[10:])
                answers = [wire.read_answer() for wire in others]
        says(early, fwd="uri-miss", stored=None, collapsed=None)
        equal({got.body for got in answers}, {BODY})
        check(all(status(got).get("collapsed") for got in answers), "collapsed")
        equal(len(asked(origin, "/")), 1)
        equal(tags(larder, "/"), ["item-7", "item-b"])
        check(is_hit(larder.get("/")), "stored")


def test_released():
    """Bodies that cannot be searched after all: those who waited go on alone; the origin gone
    in the middle: they are told."""
    bad, cut = Slow(end=b"x" * (len(BODY) - 10)), Slow(end=BODY[10:20])
    pages = {"/bad": [bad, lasting("max-age=600", b"fine")], "/cut": cut}
    with Origin(Pages(pages)) as origin, tagged(origin) as larder:
        for target, slow, wanted in (("/bad", bad, (200, b"fine")), ("/cut", cut, (502, None))):
            with case(target), crowd(larder, 1, target) as [first]:
                first.read_head()
                before = larder.metric("cache_waits_total")
                with crowd(larder, 3, target) as others:
                    larder.wait_for_metric(before + 3, "cache_waits_total")
                    slow.door.set()
                    for got in (wire.read_answer() for wire in others):
                        equal((got.status, wanted[1] and got.body), wanted)
        equal(len(asked(origin, "/cut")), 1)
        equal(stored(larder, "/cut"), [])


def test_for_one_alone():
    """An answer to be validated on each use is for the one that asked: nobody waits for it."""
    slow = Slow("ETag: \"1\"", control="no-cache")
    pages = {"/": [slow, document(BODY, 'ETag: "2"')]}
    with Origin(Pages(pages)) as origin, tagged(origin) as larder:
        with crowd(larder, 1, "/") as [first]:
            first.read_head()
            equal(larder.get("/").get("ETag"), '"2"')
            equal(larder.metric("cache_waits_total"), 0)
            slow.door.set()
            equal(first.read_exactly(len(BODY)), BODY)


def test_client_leaves():
    """It is stored all the same: others wait, or will come."""
    slow = Slow()
    with Origin(slow) as origin, tagged(origin) as larder:
        with crowd(larder, 1, "/") as [first]:
            first.read_head()
            first.reset()
            larder.wait_for_metric(0, "http_requests_under_way")
        slow.door.set()
        equal(tags(larder, "/"), ["item-7", "item-b"])
        check(is_hit(larder.get("/")), "stored")
        equal(len(asked(origin, "/")), 1)


def test_purged_meanwhile():
    """A purge of a tag that the body turns out to have, before it is whole: what is asked for after
    it is new."""
    slow = Slow('ETag: "1"')
    pages = {"/": [slow, document(BODY, 'ETag: "2"')]}
    with Origin(Pages(pages)) as origin, tagged(origin) as larder:
        with crowd(larder, 1, "/") as [first]:
            first.read_head()
            purge(larder, tags=["item-b"])
            with crowd(larder, 1, "/") as [second]:
                larder.wait_for_metric(1, "cache_waits_total")
                slow.door.set()
                equal(second.read_answer().get("ETag"), '"2"')
        eventually(lambda: is_hit(larder.get("/")), "stored")
        equal(larder.get("/").get("ETag"), '"2"')


def test_overtaken():
    """What was fetched since a purge is not replaced by what was asked for before it."""
    slow = Slow('ETag: "1"')
    pages = {"/": [slow, document(BODY, 'ETag: "2"')]}
    with Origin(Pages(pages)) as origin, tagged(origin) as larder:
        with crowd(larder, 1, "/") as [first]:
            first.read_head()
            purge(larder, files=["http://a/"])
            larder.get("/")
            eventually(lambda: is_hit(larder.get("/")), "stored")
            slow.door.set()
            first.read_exactly(len(BODY))
        larder.wait_for_metric(0, "cache_fetches_under_way")
        for _ in range(20):
            got = larder.get("/")
            equal((is_hit(got), got.get("ETag")), (True, '"2"'))
        equal(len(asked(origin, "/")), 2)


def test_purged_later():
    """What a body told, a purge finds."""
    with Origin(document()) as origin, tagged(origin) as larder:
        larder.get("/")
        equal(tags(larder, "/"), ["item-7", "item-b"])
        purge(larder, tags=["item-8"])
        check(is_hit(larder.get("/")), "of another tag")
        purge(larder, tags=["item-7"])
        larder.get("/")
        eventually(lambda: len(asked(origin, "/")) == 2, "purged, and not asked for")


# ---- later answers ----


def test_validated():
    """A 304 leaves the tags; one that names tags takes none of the body's away (RFC 9111 4.3.4)."""
    def fresh(fields):
        return head("HTTP/1.1 304 Not Modified", 'ETag: "1"', "Cache-Control: max-age=600", *fields)

    first = lasting("max-age=0", BODY, JSON, 'ETag: "1"', "xkey: own")
    table = {"/silent": ([], ["item-7", "item-b", "own"]),
             "/named": (["xkey: new"], ["item-7", "item-b", "new", "own"])}  # fmt: skip
    pages = {target: [first, fresh(fields)] for target, (fields, _) in table.items()}
    with Origin(Pages(pages)) as origin, tagged(origin) as larder:
        for target, (_, wanted) in table.items():
            with case(target):
                larder.get(target)
                equal(tags(larder, target), ["item-7", "item-b", "own"])
                got = larder.get(target)
                says(got, fwd="stale", fwd_status=304, detail="not-modified")
                equal((got.body, got.get("xkey")), (BODY, None))
                equal(tags(larder, target), wanted)


def test_superseded():
    """A new answer whose tags cannot be read takes the old one's place: nothing."""
    old = lasting("max-age=0, stale-if-error=600", BODY, JSON, 'ETag: "1"')
    with Origin(Pages({"/": [old, document(b"{")]})) as origin, tagged(origin) as larder:
        larder.get("/")
        tags(larder, "/")
        equal(larder.get("/").body, b"{")
        eventually(lambda: not stored(larder, "/"), "the old one stayed")


def test_refreshed():
    """In the background: the old one serves until the new one's tags are known."""
    slow = Slow()
    old = lasting("max-age=10, stale-while-revalidate=600", b'{"items":[]}', JSON, "Age: 20")
    with Origin(Pages({"/": [old, slow]})) as origin, tagged(origin) as larder:
        larder.get("/")
        equal(tags(larder, "/"), [])
        larder.get("/")
        wait_until_asked(origin, "/", 2)
        equal(larder.get("/").body, b'{"items":[]}')
        slow.door.set()
        eventually(lambda: tags(larder, "/") == ["item-7", "item-b"], "refreshed")
        equal(larder.get("/").body, BODY)


def test_variants():
    """The variants of a key, each with its own tags."""
    def reply(request, _):
        who = request.get("Foo")
        return document(json.dumps({"items": [{"id": who}]}).encode(), "Vary: Foo")

    with Origin(reply) as origin, tagged(origin) as larder:
        for who in ("a", "b"):
            larder.get("/", f"Foo: {who}")
            eventually(lambda w=who: is_hit(larder.get("/", f"Foo: {w}")), "stored")
        found = {one["values"]["foo"]: one["tags"] for one in stored(larder, "/")}
        equal(found, {"a": ["item-a"], "b": ["item-b"]})


def test_conditional():
    """A client that has it gets no body; what is stored gets its tags all the same."""
    with Origin(document(BODY, 'ETag: "1"')) as origin, tagged(origin) as larder:
        equal(larder.get("/", 'If-None-Match: "1"').status, 304)
        equal(tags(larder, "/"), ["item-7", "item-b"])
        got = larder.get("/", 'If-None-Match: "1"')
        equal((is_hit(got), got.status, got.get("ETag")), (True, 304, '"1"'))
        equal(larder.get("/", 'If-None-Match: "2"').body, BODY)
        equal(len(origin.requests), 1)


def test_post():
    """A write's answer that is the new state (RFC 9110 9.3.3)."""
    made = document(BODY, "Content-Location: http://a/made")
    with Origin(made) as origin, tagged(origin) as larder:
        got = larder.ask("POST /made HTTP/1.1", "Host: a", "Content-Length: 0")
        equal(got.body, BODY)
        equal(tags(larder, "/made"), ["item-7", "item-b"])
        check(is_hit(larder.get("/made")), "stored")


def test_disk():
    """They outlive a restart."""
    with Origin(document(BODY, "xkey: own")) as origin:
        config = {"cache": {"tags": {"rules": RULES}}}
        with with_store(origin, config=config) as larder:
            larder.get("/")
            wait_until_written(larder, 1)
            restart(larder)
            equal(tags(larder, "/"), ["item-7", "item-b", "own"])
            check(is_hit(larder.get("/")), "from the disk")


def test_stop():
    """Larder ends while bodies come and are searched."""
    big = json.dumps({"items": [{"id": i} for i in range(100_000)]}).encode()
    slow = Slow()
    with Origin(Pages({"/slow": slow, None: document(big)})) as origin:
        with tagged(origin, workers=2) as larder, crowd(larder, 1, "/slow") as [first]:
            first.read_head()
            wires = [larder.connect() for _ in range(30)]
            for i, wire in enumerate(wires):
                wire.send(head(f"GET /{i} HTTP/1.1", "Host: a"))
            wait_until_asked(origin, "/29")
        slow.door.set()


scene.run()
