#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Vary (RFC 9111 4.1): which requests share an answer and which do not, how many variants one URI
may have, and how variants get along with validation, collapsing and each other."""

import scene
from caching import Gate, Pages, asked, is_hit, lasting, says, wait_until_asked
from larder import Larder
from origin import Origin
from scene import case, check, equal
from wire import head

LANGUAGE, CODING = "Accept-Language", "Accept-Encoding"

# name: Vary, fields of the first request, of the second, do they share an answer?
TABLE = {
    "same": ("Foo", ["Foo: 1"], ["Foo: 1"], True),
    "another value": ("Foo", ["Foo: 1"], ["Foo: 2"], False),
    "case of a value": ("Foo", ["Foo: a"], ["Foo: A"], False),
    "case of the name": ("FOO", ["foo: a"], ["Foo: a"], True),
    "absent": ("Foo", [], [], True),
    "absent and present": ("Foo", [], ["Foo: 1"], False),
    "present and absent": ("Foo", ["Foo: 1"], [], False),
    "absent and empty": ("Foo", [], ["Foo:"], False),
    "a field that it does not name": ("Foo", ["Foo: 1", "Bar: 1"], ["Foo: 1", "Bar: 2"], True),
    "space": ("Foo", ["Foo: 1,2"], ["Foo:  1 ,  2 "], True),
    "lines": ("Foo", ["Foo: 1, 2"], ["Foo: 1", "Foo: 2"], True),
    "order": ("Foo", ["Foo: 1, 2"], ["Foo: 2, 1"], False),
    "two fields": ("Foo, Bar", ["Foo: 1", "Bar: 2"], ["Bar: 2", "Foo: 1"], True),
    "two fields, exchanged": ("Foo, Bar", ["Foo: 1", "Bar: 2"], ["Foo: 2", "Bar: 1"], False),
    "two fields, one absent": ("Foo, Bar", ["Foo: 1"], ["Bar: 1"], False),
    "on two lines": ("Foo\r\nVary: Bar", ["Foo: 1", "Bar: 1"], ["Foo: 1", "Bar: 2"], False),
    # RFC 9110 12.5.1, RFC 9110 12.5.3, RFC 9110 12.5.4: where order, case and q=1 mean nothing they make no difference
    "languages, order": (
        LANGUAGE,
        ["Accept-Language: de;q=0.5, en"],
        ["Accept-Language: en, de;q=0.5"],
        True,
    ),
    "languages, case": (LANGUAGE, ["Accept-Language: en-GB"], ["Accept-Language: EN-gb"], True),
    "languages, q=1": (LANGUAGE, ["Accept-Language: en"], ["Accept-Language: en;q=1.0"], True),
    "languages, q written otherwise": (
        LANGUAGE,
        ["Accept-Language: en;q=0.50"],
        ["Accept-Language: en; Q=0.5"],
        True,
    ),
    "languages, q": (
        LANGUAGE,
        ["Accept-Language: en, de;q=0.5"],
        ["Accept-Language: en, de;q=0.6"],
        False,
    ),
    "codings, order": (CODING, ["Accept-Encoding: gzip, br"], ["Accept-Encoding: br,gzip"], True),
    "codings": (CODING, ["Accept-Encoding: gzip, br"], ["Accept-Encoding: gzip"], False),
    "types": ("Accept", ["Accept: text/html, */*;q=0.1"], ["Accept: */*;q=0.1,text/html"], True),
}


def test_which_share():
    rows = list(TABLE.values())

    def reply(request, _):
        row = rows[int(request.target[1:])]
        return lasting("max-age=60", b"%d" % len(asked(origin, request.target)), f"Vary: {row[0]}")

    with Origin(reply) as origin, Larder(origin) as larder:
        for number, (name, (_, first, second, shared)) in enumerate(TABLE.items()):
            target = f"/{number}"
            with case(name):
                says(larder.get(target, *first), fwd="uri-miss", stored=True)
                got = larder.get(target, *second)
                equal(is_hit(got), shared)
                equal(got.body, b"1" if shared else b"2")
                if not shared:
                    says(got, fwd="vary-miss", stored=True)
                    # RFC 9111 4.1: both stand side by side from now on
                    equal(larder.get(target, *first).body, b"1")
                    equal(larder.get(target, *second).body, b"2")
                equal(len(asked(origin, target)), 1 if shared else 2)


def test_variants_limit():
    """`variants`: with one more the oldest goes, and only it."""
    config = {"cache": {"variants": 3}}
    with Origin(lambda r, _: lasting("max-age=60", r.get("Foo").encode(), "Vary: Foo")) as origin:
        with Larder(origin, config=config) as larder:
            for value in "abcd":
                larder.get("/", f"Foo: {value}")
            hits = {
                value: is_hit(larder.get("/", f"Foo: {value}", "Cache-Control: only-if-cached"))
                for value in "abcd"
            }
            equal(hits, {"a": False, "b": True, "c": True, "d": True})
            equal(larder.get("/", "Foo: a").body, b"a")
            hits = {
                value: is_hit(larder.get("/", f"Foo: {value}", "Cache-Control: only-if-cached"))
                for value in "abcd"
            }
            equal(hits, {"a": True, "b": False, "c": True, "d": True})


def test_many_variants_of_many_clients():
    """The limit holds when they are made at the same time by all workers, and answers are never
    confused."""
    from threading import Thread

    wrong = []

    def ask(larder, values):
        for value in values:
            got = larder.get("/", f"Foo: {value}")
            if got.body != b"%d" % value:
                wrong.append((value, got.body))

    with Origin(lambda r, _: lasting("max-age=60", r.get("Foo").encode(), "Vary: Foo")) as origin:
        with Larder(origin, config={"cache": {"variants": 8}}, workers=4) as larder:
            crew = [Thread(target=ask, args=(larder, range(turn, 200, 4))) for turn in range(4)]
            for one in crew:
                one.start()
            for one in crew:
                one.join()
            equal(wrong, [])
            kept = sum(
                is_hit(larder.get("/", f"Foo: {v}", "Cache-Control: only-if-cached"))
                for v in range(200)
            )
            check(1 <= kept <= 8, f"{kept} variants are kept")


def test_vary_changes():
    """The origin varies on something else now: what was stored under the old names is not served by
    mistake."""
    pages = Pages(
        {"/": [lasting("max-age=60", b"1", "Vary: Foo"), lasting("max-age=60", b"2", "Vary: Bar")]}
    )
    with Origin(pages) as origin, Larder(origin) as larder:
        equal(larder.get("/", "Foo: 1", "Bar: 1").body, b"1")
        equal(larder.get("/", "Foo: 2", "Bar: 1").body, b"2")
        got = larder.get("/", "Foo: 1", "Bar: 1")
        check(got.body == b"2", f"{got.body}: varies on Bar now, and Bar is the same")
        equal(larder.get("/", "Foo: 9", "Bar: 1").body, b"2")


def test_vary_ends():
    pages = Pages({"/": [lasting("max-age=60", b"1", "Vary: Foo"), lasting("max-age=60", b"2")]})
    with Origin(pages) as origin, Larder(origin) as larder:
        larder.get("/", "Foo: 1")
        larder.get("/", "Foo: 2")
        for fields in (["Foo: 3"], ["Foo: 1"], []):
            equal(larder.get("/", *fields).body, b"2")


def test_vary_begins():
    """An answer that did not vary is no variant of one that does."""
    pages = Pages(
        {
            "/": [
                lasting("max-age=60", b"1"),
                lasting("max-age=60", b"2", "Vary: Foo"),
                lasting("max-age=60", b"3", "Vary: Foo"),
            ]
        }
    )
    with Origin(pages) as origin, Larder(origin) as larder:
        larder.get("/", "Foo: 1")
        equal(larder.get("/", "Foo: 2", "Cache-Control: no-cache").body, b"2")
        equal(larder.get("/", "Foo: 1").body, b"3")
        equal(larder.get("/", "Foo: 2").body, b"2")


def test_validation_is_of_the_variant():
    """Each variant asks with its own ETag; a 304 to one says nothing about the other."""

    def reply(request, _):
        value = request.get("Foo")
        if request.get("If-None-Match"):
            equal(request.get("If-None-Match"), f'"{value}"')
            return head("HTTP/1.1 304 Not Modified", "Cache-Control: max-age=60", "Vary: Foo")
        return lasting("max-age=10", value.encode(), "Age: 20", f'ETag: "{value}"', "Vary: Foo")

    with Origin(reply) as origin, Larder(origin) as larder:
        for value in "ab":
            larder.get("/", f"Foo: {value}")
        got = larder.get("/", "Foo: a")
        equal(got.body, b"a")
        says(got, fwd="stale", fwd_status=304)
        check(is_hit(larder.get("/", "Foo: a")), "a is fresh")
        got = larder.get("/", "Foo: b")
        equal(got.body, b"b")
        says(got, fwd="stale", fwd_status=304)


def test_who_waited_for_another_variant():
    """Two clients ask for what nobody knows to vary: the second one waits for the first one's
    answer, sees that it does not fit, and is not given it."""
    gate = Gate(lambda r, _: lasting("max-age=60", r.get("Foo").encode(), "Vary: Foo"))
    with Origin(gate) as origin, Larder(origin) as larder:
        with larder.connect() as one, larder.connect() as other:
            one.send(head("GET / HTTP/1.1", "Host: a", "Foo: 1"))
            wait_until_asked(origin, "/")
            other.send(head("GET / HTTP/1.1", "Host: a", "Foo: 2"))
            larder.wait_for_metric(1, "cache_waits_total")
            gate.open()
            equal(one.read_answer().body, b"1")
            got = other.read_answer()
            equal(got.body, b"2")
            with case("its request was not collapsed (RFC 9211 2.7)"):
                check(status_of(got).get("collapsed") is None, f"{status_of(got)}")
        equal(len(origin.requests), 2)
        for value in (b"1", b"2"):
            equal(larder.get("/", f"Foo: {value.decode()}").body, value)


def status_of(got):
    return says(got)


def test_uncacheable_for_some():
    """A variant that may not be stored does not make the others wait, or go."""

    def reply(request, _):
        control = "no-store" if request.get("Foo") == "private" else "max-age=60"
        return lasting(control, request.get("Foo").encode(), "Vary: Foo")

    with Origin(reply) as origin, Larder(origin) as larder:
        larder.get("/", "Foo: a")
        for _ in range(2):
            equal(larder.get("/", "Foo: private").body, b"private")
            got = larder.get("/", "Foo: a")
            equal((got.body, is_hit(got)), (b"a", True))


scene.run()
