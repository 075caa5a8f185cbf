#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What is stored on disk outlives its Larder: after an orderly end and after kill -9 the same
answers are hits, byte for byte, without a word to the origin."""

import signal

import scene
from caching import (
    Pages,
    asked,
    bytes_of,
    crash,
    crowd,
    is_hit,
    lasting,
    restart,
    says,
    start_again,
    status,
    wait_until_written,
    with_store,
)
from origin import Origin, answer
from scene import case, check, equal
from wire import chunked, head

MIB = 1024 * 1024
SIZES = (0, 1, 1000, 65535, 65536, 65537, 256 * 1024, 1_000_001, 5 * MIB)


def page(request, _):
    name = request.target[1:]
    if name.startswith("size"):
        return lasting(
            "max-age=900", bytes_of(name, int(name[5:])), 'ETag: "x"', "X-Own: a", "X-Own: b"
        )
    if name == "chunks":
        body = bytes_of(name, 300_000)
        start = head("HTTP/1.1 200 OK", "Cache-Control: max-age=900", "Transfer-Encoding: chunked")
        return start + chunked(body[:10], body[10:150_000], body[150_000:])
    if name == "404":
        return lasting("max-age=900", b"none", status="404 Not Found")
    if name == "old":
        return lasting("max-age=900", b"old", "Age: 300", "Set-Cookie: a=b")
    if name == "variants":
        return lasting("max-age=900", request.get("Foo").encode(), "Vary: Foo")
    return lasting("max-age=900", bytes_of(name, 64 * 1024))


ASKED = [(f"/size-{size}", []) for size in SIZES]
ASKED += [("/chunks", []), ("/404", []), ("/old", []), ("/query?a=1&b=2", [])]
ASKED += [("/variants", [f"Foo: {value}"]) for value in "abc"]
NOT_OURS = ("Age", "Cache-Status", "X-Cache")


def fill(larder):
    """Asks for everything; returns what came."""
    answers = [larder.get(target, *fields) for target, fields in ASKED]
    wait_until_written(larder, len(ASKED))
    return answers


def check_kept(larder, origin, before, when):
    """Everything is a hit, and the same."""
    origin.forget()
    for (target, fields), old in zip(ASKED, before, strict=True):
        with case(f"{when}: {target} {fields}"):
            got = larder.get(target, *fields)
            check(is_hit(got), f"{says(got)}")
            equal((got.status, len(got.body)), (old.status, len(old.body)))
            check(got.body == old.body, "other bytes")
            kept = [[f for f in a.fields if f[0] not in NOT_OURS] for a in (old, got)]
            lines = [
                sorted(f for f in some if f[0] not in ("Transfer-Encoding", "Content-Length"))
                for some in kept
            ]
            equal(lines[1], lines[0], "fields")
            check(status(got)["ttl"] <= 900, "ttl")
            if target == "/old":
                check(300 <= int(got.get("Age")) < 330, f"Age {got.get('Age')}")
    equal([r.target for r in origin.requests], [], "asked for again")


def test_an_orderly_end():
    with Origin(page) as origin, with_store(origin) as larder:
        before = fill(larder)
        restart(larder)
        check_kept(larder, origin, before, "restarted")
        restart(larder)
        check_kept(larder, origin, before, "restarted twice")


def test_the_order_does_not_matter():
    """The first thing asked after a restart may be any variant, or a range, or a HEAD."""
    body = bytes_of("/size-1000001"[1:], 1_000_001)
    with Origin(page) as origin, with_store(origin) as larder:
        fill(larder)
        origin.forget()
        for value in "cba":
            restart(larder)
            with case(f"variant {value} first"):
                got = larder.get("/variants", f"Foo: {value}")
                equal((got.body, is_hit(got)), (value.encode(), True))
        restart(larder)
        got = larder.get("/size-1000001", "Range: bytes=500000-500009,-5")
        check(
            got.status == 206 and body[500000:500010] in got.body and body[-5:] in got.body,
            "ranges",
        )
        got = larder.ask("HEAD /size-5242880 HTTP/1.1", "Host: a")
        equal((got.status, got.get("Content-Length"), is_hit(got)), (200, str(5 * MIB), True))
        got = larder.get("/size-1000", 'If-None-Match: "x"')
        equal((got.status, is_hit(got)), (304, True))


def test_kill_9():
    """What the database has on disk outlives a crash, too; what was still in its memory may be
    lost, so other answers are stored behind it until it is not."""
    with Origin(page) as origin, with_store(origin, size="128m") as larder:
        before = fill(larder)
        for number in range(640):
            larder.get(f"/filler-{number}")
        wait_until_written(larder, len(ASKED) + 640, seconds=30)
        crash(larder)
        check_kept(larder, origin, before, "after the first crash")
        crash(larder)
        check_kept(larder, origin, before, "after the second crash")


def test_kill_9_after_an_orderly_end():
    """What an earlier run wrote is not lost by a later one, however short."""
    with Origin(page) as origin, with_store(origin) as larder:
        before = fill(larder)
        restart(larder)
        crash(larder)
        crash(larder)
        check_kept(larder, origin, before, "after crashes")


def test_other_things_are_not_there():
    """What is not stored is a miss after a restart, as before."""
    with Origin(page) as origin, with_store(origin) as larder:
        fill(larder)
        restart(larder)
        says(larder.get("/never"), fwd="uri-miss", stored=True)
        says(larder.get("/variants", "Foo: z"), fwd="vary-miss", stored=True)


def test_staleness_outlives_it():
    """Validators and windows are kept: what is stale is validated, and covers for the origin."""
    stale = lasting("max-age=10, stale-if-error=900", b"old", "Age: 20", 'ETag: "x"')
    pages = Pages(
        {
            "/304": [
                stale,
                head("HTTP/1.1 304 Not Modified", "Cache-Control: max-age=60", "X-New: 1"),
            ],
            "/503": [stale, answer(b"down", status="503 Down")],
        }
    )
    with Origin(pages) as origin, with_store(origin) as larder:
        for target in ("/304", "/503"):
            larder.get(target)
        wait_until_written(larder, 2)
        restart(larder)
        got = larder.get("/304")
        equal((got.status, got.body, got.get("X-New")), (200, b"old", "1"))
        equal(asked(origin, "/304")[-1].get("If-None-Match"), '"x"')
        got = larder.get("/503")
        equal((got.status, got.body), (200, b"old"))
        # and what the 304 said is kept, too
        wait_until_written(larder, 1, kind="head")
        restart(larder)
        got = larder.get("/304")
        equal((got.body, got.get("X-New"), is_hit(got)), (b"old", "1", True))


def test_stale_from_disk():
    """RFC 5861 3: also what comes from the disk is served stale at once, and refreshed."""
    stale = lasting("max-age=10, stale-while-revalidate=900", b"old", "Age: 20", 'ETag: "x"')
    with Origin(Pages({"/": [stale, lasting("max-age=60", b"new")]})) as origin, with_store(
        origin
    ) as larder:
        larder.get("/")
        wait_until_written(larder, 1)
        restart(larder)
        got = larder.get("/")
        equal((got.body, is_hit(got)), (b"old", True))
        larder.wait_for_metric(0, "cache_fetches_under_way")
        equal(larder.get("/").body, b"new")
        equal(len(origin.requests), 2)


def test_many_ask_at_once():
    """What is on disk is read once, for all who ask at the same time."""
    with Origin(page) as origin, with_store(origin, workers=4) as larder:
        before = larder.get("/size-5242880")
        wait_until_written(larder, 1)
        restart(larder)
        origin.forget()
        with crowd(larder, 40, "/size-5242880") as wires:
            for wire in wires:
                got = wire.read_answer()
                check(got.body == before.body, "other bytes")
                check(is_hit(got), f"{says(got)}")
        equal(len(origin.requests), 0)
        equal(larder.metric("store_reads_total", result="found"), 1, "reads")


def test_the_variants_limit():
    """The oldest variant goes from the disk, too; and a restart forgets neither limit nor order."""
    with Origin(page) as origin, with_store(origin, config={"cache": {"variants": 2}}) as larder:
        for value in "abc":
            larder.get("/variants", f"Foo: {value}")
        wait_until_written(larder, 3)
        restart(larder)
        only = "Cache-Control: only-if-cached"
        equal([larder.get("/variants", f"Foo: {v}", only).status for v in "abc"], [504, 200, 200])
        larder.get("/variants", "Foo: d")
        restart(larder)
        equal(
            [larder.get("/variants", f"Foo: {v}", only).status for v in "abcd"],
            [504, 504, 200, 200],
        )


def test_an_invalidation_outlives_it():
    """RFC 9111 4.4: what a write made stale does not come back with a restart or a crash."""

    def reply(request, wire):
        if request.method != "GET":
            return answer(b"")
        return lasting(
            "max-age=900", b"%d" % len(asked(origin, request.target, "GET")), *vary(request)
        )

    def vary(request):
        return ("Vary: Foo",) if request.target == "/vary" else ()

    for end in (restart, crash):
        with case(end.__name__), Origin(reply) as origin, with_store(origin) as larder:
            for target in ("/x", "/vary", "/kept"):
                larder.get(target)
            wait_until_written(larder, 3)
            restart(larder)
            for target in ("/x", "/vary"):
                larder.ask(f"PUT {target} HTTP/1.1", "Host: a", "Content-Length: 0")
            wait_until_written(larder, 2, kind="delete")
            end(larder)
            equal([larder.get(t).body for t in ("/x", "/vary", "/kept")], [b"2", b"2", b"1"])


def test_admission():
    """What the configuration lets onto the disk: what was asked for twice; or what was hit; or
    all."""
    table = {"always": True, "second-sighting": False, "hot": False}
    for admission, kept in table.items():
        with case(admission), Origin(page) as origin, with_store(
            origin, admission=admission
        ) as larder:
            larder.get("/once")
            restart(larder)
            equal(is_hit(larder.get("/once")), kept)
            if admission == "second-sighting":
                # the second time it is fetched is the second sighting
                restart(larder)
                larder.get("/twice")
                larder.get("/twice", "Cache-Control: no-cache")
                wait_until_written(larder, 1)
                restart(larder)
                check(is_hit(larder.get("/twice")), "seen twice, and not kept")


def test_a_large_object_that_ram_does_not_take():
    """max-object-size above what the hot tier takes: once written it is served from the disk
    alone."""
    config = {"hot-size": "16m", "max-object-size": "8m"}
    body = bytes_of("size-5242880", 5 * MIB)
    with Origin(page) as origin, with_store(origin, workers=4, **config) as larder:
        check(larder.get("/size-5242880").body == body, "other bytes")
        wait_until_written(larder, 1)
        for when in ("at once", "after a restart"):
            with case(when):
                got = larder.get("/size-5242880")
                check(got.body == body, f"other bytes: {len(got.body)}")
                check(is_hit(got), f"{says(got)}")
                with crowd(larder, 10, "/size-5242880") as wires:
                    for wire in wires:
                        got = wire.read_answer()
                        check(got.body == body, f"other bytes: {len(got.body)}")
                        check(is_hit(got), f"{says(got)}")
                got = larder.get("/size-5242880", "Range: bytes=5000000-5000009")
                equal((got.status, got.body, is_hit(got)), (206, body[5000000:5000010], True))
            restart(larder)
        equal(len(origin.requests), 1, "asked")
        check(larder.metric("cache_bytes", tier="hot") <= 16 * MIB, "the hot tier's budget")


def test_stop_while_it_is_read():
    """Clients wait for answers from disk when Larder ends: nobody who would take them is gone before
    they come, so nothing of them is left. (It is a sanitizer that sees the difference.)"""
    with Origin(page) as origin, with_store(origin, **{"hot-size": "1m"}) as larder:
        for i in range(40):
            larder.get(f"/{i}")
        wait_until_written(larder, 40)
        for _ in range(3):
            wires = [larder.connect() for _ in range(20)]
            for i, wire in enumerate(wires):
                wire.send(head(f"GET /{i} HTTP/1.1", "Host: a"))
            larder.signal(signal.SIGTERM)
            equal(larder.wait(), 0)
            for wire in wires:
                wire.close()
            start_again(larder)


scene.run()
