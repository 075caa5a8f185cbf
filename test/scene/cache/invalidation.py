#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What a write makes stale (RFC 9111 4.4): its URI with all variants, what Location and
Content-Location name on the same host; not after an error, nothing of other hosts. And what was
asked for before a write is never served as fresh after it, however late it came."""

import threading

import scene
from caching import Gate, Pages, asked, crowd, is_hit, lasting, numbered, says, wait_until_asked
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal, eventually
from wire import head

HOST = "Host: a"


def write(larder, method, target, *fields, body=b""):
    return larder.ask(
        f"{method} {target} HTTP/1.1", HOST, *fields, f"Content-Length: {len(body)}", body=body
    )


def writes(status, *fields):
    """An origin: GETs are numbered per target, everything else is answered so."""
    read = numbered("max-age=60")
    said = answer(b"", *fields, status=status)
    return lambda request, wire: read(request, wire) if request.method == "GET" else said


def test_methods():
    table = {"POST": 2, "PUT": 2, "DELETE": 2, "PATCH": 2, "MKCOL": 2, "OPTIONS": 1, "HEAD": 1}
    with Origin(writes("200 OK")) as origin, Larder(origin) as larder:
        for method, asked_for in table.items():
            target = f"/{method}"
            with case(method):
                larder.get(target)
                write(larder, method, target)
                got = larder.get(target)
                equal(got.body, b"%d" % asked_for)
                if asked_for == 2:
                    says(got, stored=True)


def test_statuses():
    """An answer without error is a 2xx or a 3xx."""
    table = {
        "200 OK": True,
        "201 C": True,
        "204 N": True,
        "303 S": True,
        "400 B": False,
        "403 F": False,
    }
    table |= {"404 N": False, "409 C": False, "500 I": False, "503 S": False}
    for said, invalidates in table.items():
        with case(said), Origin(writes(said)) as origin, Larder(origin) as larder:
            larder.get("/x")
            write(larder, "POST", "/x", body=b"a")
            equal(larder.get("/x").body, b"2" if invalidates else b"1")


def test_no_answer():
    """A write whose answer never came may have been done: nobody knows. RFC 9111 4.4 asks for no
    invalidation; what is certain is that the stored answer is not lost for it."""

    def reply(request, wire):
        if request.method == "GET":
            return lasting("max-age=60", b"kept")
        return wire.reset()

    with Origin(reply) as origin, Larder(origin) as larder:
        larder.get("/x")
        equal(write(larder, "POST", "/x", body=b"a").status, 502)
        equal(larder.get("/x").body, b"kept")


def test_references():
    """Location and Content-Location count when they are of the same host (RFC 9111 4.4)."""
    # what the answer says -> whether /dir/other is invalidated
    table = {
        "Location: /dir/other": True,
        "Content-Location: /dir/other": True,
        "Location: other": True,
        "Location: ../dir/./other": True,
        "Location: http://a/dir/other": True,
        "Location: http://A:80/dir/other": True,
        "Location: //a/dir/other": True,
        "Location: /dir/other#part": True,
        "Location: http://b/dir/other": False,
        "Location: http://a:81/dir/other": False,
        "Location: https://a/dir/other": False,
        "Location: /dir/other?x": False,
        "Location: /dir": False,
    }
    for said, invalidates in table.items():
        with case(said), Origin(writes("201 Created", said)) as origin, Larder(origin) as larder:
            for target in ("/dir/other", "/dir/x", "/away"):
                larder.get(target)
            write(larder, "POST", "/dir/x")
            equal(larder.get("/dir/other").body, b"2" if invalidates else b"1", "what it names")
            equal(larder.get("/dir/x").body, b"2", "its own URI")
            equal(larder.get("/away").body, b"1", "another URI")


def test_another_hosts():
    """The same path of another host is another resource."""
    with Origin(writes("201 Created", "Location: http://b/x")) as origin, Larder(origin) as larder:
        for host in ("a", "b"):
            larder.ask("GET /x HTTP/1.1", f"Host: {host}")
        write(larder, "POST", "/x")
        equal(
            [is_hit(larder.ask("GET /x HTTP/1.1", f"Host: {host}")) for host in ("a", "b")],
            [False, True],
        )


def test_a_reference_in_an_error():
    with Origin(writes("500 Internal", "Location: /other")) as origin, Larder(origin) as larder:
        larder.get("/other")
        write(larder, "POST", "/x")
        check(is_hit(larder.get("/other")), "invalidated by an error")


def test_all_variants():
    with Origin(writes("200 OK")) as origin, Larder(origin) as larder:
        origin.reply = by_language
        languages = ("de", "en", "fr")
        for language in languages:
            larder.get("/v", f"Accept-Language: {language}")
        check(all(is_hit(larder.get("/v", f"Accept-Language: {x}")) for x in languages), "stored")
        write(larder, "POST", "/v")
        for language in languages:
            check(
                not is_hit(larder.get("/v", f"Accept-Language: {language}")),
                f"{language} is still served",
            )


def by_language(request, _):
    language = request.get("Accept-Language") or "none"
    return lasting("max-age=60", language.encode(), "Vary: Accept-Language")


def test_what_is_invalid_covers_nothing():
    """What a write has overtaken does not stand in for a failing origin, stale as it may be."""

    def reply(request, _):
        if request.method != "GET":
            return answer(b"")
        is_first = len(asked(origin, "/x", "GET")) == 1
        control = "max-age=60, stale-if-error=600, stale-while-revalidate=600"
        return (
            lasting(control, b"old", 'ETag: "x"')
            if is_first
            else answer(b"down", status="503 Down")
        )

    with Origin(reply) as origin, Larder(origin) as larder:
        larder.get("/x")
        write(larder, "POST", "/x")
        for _ in range(2):
            equal(larder.get("/x").status, 503)


def test_a_head_does_not_bring_it_back():
    """RFC 9111 4.3.5 lets a HEAD freshen what is stored; what a write has overtaken stays so until
    the origin was asked for it, since a length alone says nothing."""
    gate = Gate(lasting("max-age=60", b"old"))
    pages = Pages({"/x": [gate, lasting("max-age=60", b"new")]})

    def reply(request, wire):
        if request.method == "HEAD":
            return lasting("max-age=60", b"new")[:-3]
        return answer(b"") if request.method == "PUT" else pages(request, wire)

    with Origin(reply) as origin, Larder(origin) as larder, start_get(larder, "/x") as early:
        wait_until_asked(origin, "/x")
        write(larder, "PUT", "/x")
        gate.open()
        equal(early.read_answer().body, b"old")
        larder.ask("HEAD /x HTTP/1.1", HOST)
        equal(larder.get("/x").body, b"new")


# ---- a POST whose answer is what a GET would get ----


def state(body):
    return lasting("max-age=60", body, "Content-Location: /x")


def test_a_posts_answer_serves_get():
    """RFC 9110 9.3.3: it says whose state it is, and for how long; else it is no GET's answer."""
    table = {
        "its own URI": (state(b"new"), True),
        "absolute": (lasting("max-age=60", b"new", "Content-Location: http://a/x"), True),
        "no lifetime": (answer(b"new", "Content-Location: /x"), False),
        "another URI": (lasting("max-age=60", b"new", "Content-Location: /y"), False),
        "no location": (lasting("max-age=60", b"new"), False),
        "201": (lasting("max-age=60", b"new", "Content-Location: /x", status="201 Created"), False),
        "no-store": (lasting("max-age=60, no-store", b"new", "Content-Location: /x"), False),
    }
    for name, (said, serves) in table.items():
        read = numbered("max-age=60")
        reply = (
            lambda r, w, said=said, read=read: read(r, w) if r.method == "GET" else said
        )  # noqa: E731
        with case(name), Origin(reply) as origin, Larder(origin) as larder:
            larder.get("/x")
            got = write(larder, "POST", "/x", body=b"a")
            equal(got.body, b"new")
            got = larder.get("/x")
            equal((got.body, is_hit(got)), (b"new", True) if serves else (b"2", False))


def test_a_posts_answer_that_a_write_overtook():
    """Two writes at the same time: the state that the earlier one tells may be older than the later
    one, so it is not stored. What is written elsewhere does not matter."""
    for target, body in (("/x", b"1"), ("/other", b"told")):
        gate = Gate(state(b"told"))
        table = {"POST": gate, "PUT": lambda *_: answer(b""), "GET": numbered("max-age=60")}
        reply = lambda r, w: table[r.method](r, w)
        with case(target), Origin(reply) as origin, Larder(origin) as larder:
            with larder.connect() as early:
                early.send(head("POST /x HTTP/1.1", HOST, "Content-Length: 0"))
                wait_until_asked(origin, "/x")
                write(larder, "PUT", target)
                gate.open()
                equal(early.read_answer().body, b"told")
            equal(larder.get("/x").body, body, "what is served now")


# ---- fetches that a write overtakes ----


def start_get(larder, target, *fields):
    wire = larder.connect()
    wire.send(head(f"GET {target} HTTP/1.1", HOST, *fields))
    return wire


def test_a_fetch_that_began_before():
    """It began before the write and ends after it: who waited for it may have it, nobody else."""
    gate = Gate(lasting("max-age=60", b"old"))
    reads = [gate, lasting("max-age=60", b"new")]

    def reply(request, wire):
        return answer(b"") if request.method == "PUT" else pages(request, wire)

    pages = Pages({"/x": reads})
    with Origin(reply) as origin, Larder(origin) as larder, start_get(larder, "/x") as early:
        wait_until_asked(origin, "/x")
        equal(write(larder, "PUT", "/x").status, 200)
        gate.open()
        equal(early.read_answer().body, b"old", "who asked before")
        got = larder.get("/x")
        equal((got.body, is_hit(got)), (b"new", False), "who asks after")
        equal(larder.get("/x").body, b"new")


def test_who_asks_after_the_write_does_not_join():
    """A client that asks once the write is answered must not be given what was asked for before it,
    although that fetch is still under way (RFC 9111 4)."""
    gate = Gate(lasting("max-age=60", b"old"))
    pages = Pages({"/x": [gate, lasting("max-age=60", b"new")]})

    def reply(request, wire):
        return answer(b"") if request.method == "PUT" else pages(request, wire)

    with Origin(reply) as origin, Larder(origin) as larder, start_get(larder, "/x") as early:
        wait_until_asked(origin, "/x")
        equal(write(larder, "PUT", "/x").status, 200)
        with start_get(larder, "/x") as late:
            # it either goes to the origin at once, or waits for the old fetch and then goes
            threading.Timer(0.3, gate.open).start()
            equal(late.read_answer().body, b"new", "the client that asked after the write")
        equal(early.read_answer().body, b"old")
        equal(larder.get("/x").body, b"new")


def test_those_who_ask_after_the_write_share_one_fetch():
    """With a slow fetch from before the write still under way, they do not join it, but each other:
    a write, or a purge, of a hot URI is no reason for all its clients to go to the origin."""
    old, new = Gate(lasting("max-age=60", b"old")), Gate(lasting("max-age=60", b"new"))
    pages = Pages({"/x": [old, new]})

    def reply(request, wire):
        return answer(b"") if request.method == "PUT" else pages(request, wire)

    with Origin(reply) as origin, Larder(origin, workers=2) as larder, start_get(
        larder, "/x"
    ) as early:
        wait_until_asked(origin, "/x")
        equal(write(larder, "PUT", "/x").status, 200)
        with crowd(larder, 30, "/x") as wires:
            larder.wait_for_metric(29, "cache_waits_total")
            old.open()
            equal(early.read_answer().body, b"old")
            new.open()
            equal({wire.read_answer().body for wire in wires}, {b"new"})
        equal(len(asked(origin, "/x", "GET")), 2)
        got = larder.get("/x")
        equal((got.body, is_hit(got)), (b"new", True))


def test_a_body_that_was_filling():
    """The head came before the write, the rest after it: nothing of it is served as fresh."""
    gate = threading.Event()

    def slow(_, wire):
        wire.send(head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", "Content-Length: 6"), b"old")
        gate.wait(10)
        return b"old"

    pages = Pages({"/x": [slow, lasting("max-age=60", b"new")]})

    def reply(request, wire):
        return answer(b"") if request.method == "PUT" else pages(request, wire)

    with Origin(reply) as origin, Larder(origin) as larder, start_get(larder, "/x") as early:
        early.read_until(b"old")
        write(larder, "PUT", "/x")
        equal(larder.get("/x").body, b"new", "while it fills")
        gate.set()
        equal(early.read_exactly(3), b"old")
        equal(larder.get("/x").body, b"new", "when it is full")


def test_a_validation_that_began_before():
    """A 304 to a question that was asked before the write does not make the old answer fresh."""
    gate = Gate(head("HTTP/1.1 304 Not Modified", 'ETag: "x"', "Cache-Control: max-age=60"))
    first = lasting("max-age=10", b"old", "Age: 20", 'ETag: "x"')
    pages = Pages({"/x": [first, gate, lasting("max-age=60", b"new", 'ETag: "y"')]})

    def reply(request, wire):
        return answer(b"") if request.method == "PUT" else pages(request, wire)

    with Origin(reply) as origin, Larder(origin) as larder:
        larder.get("/x")
        with start_get(larder, "/x") as early:
            wait_until_asked(origin, "/x", 2)
            write(larder, "PUT", "/x")
            gate.open()
            equal(early.read_answer().body, b"old")
        equal(larder.get("/x").body, b"new")


def test_a_variant_that_was_on_its_way():
    """The write takes the whole URI, also variants that nobody knew when it came."""
    gate = Gate(lasting("max-age=60", b"old", "Vary: Foo"))
    pages = Pages({"/x": [gate, lasting("max-age=60", b"new", "Vary: Foo")]})

    def reply(request, wire):
        return answer(b"") if request.method == "PUT" else pages(request, wire)

    with Origin(reply) as origin, Larder(origin) as larder, start_get(
        larder, "/x", "Foo: 1"
    ) as early:
        wait_until_asked(origin, "/x")
        write(larder, "PUT", "/x")
        gate.open()
        equal(early.read_answer().body, b"old")
        equal(larder.get("/x", "Foo: 1").body, b"new")


def test_a_refresh_that_began_before():
    """Nor does a background refresh (RFC 5861 3) that the write overtook."""
    control = "max-age=10, stale-while-revalidate=600"
    gate = Gate(lasting("max-age=60", b"old again"))
    pages = Pages(
        {"/x": [lasting(control, b"old", "Age: 20"), gate, lasting("max-age=60", b"new")]}
    )

    def reply(request, wire):
        return answer(b"") if request.method == "PUT" else pages(request, wire)

    with Origin(reply) as origin, Larder(origin) as larder:
        larder.get("/x")
        equal(larder.get("/x").body, b"old")
        wait_until_asked(origin, "/x", 2)
        write(larder, "PUT", "/x")
        gate.open()
        larder.wait_for_metric(0, "cache_fetches_under_way")
        equal(larder.get("/x").body, b"new")


def test_it_is_counted():
    with Origin(writes("200 OK")) as origin, Larder(origin) as larder:
        larder.get("/x")
        write(larder, "POST", "/x")
        eventually(lambda: larder.metric("cache_invalidations_total") == 1, "not counted")
        larder.get("/x")


scene.run()
