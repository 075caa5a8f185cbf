#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Targeted cache control (RFC 9213 2): CDN-Cache-Control counts in the place of Cache-Control and
Expires, whole, if it is a valid Structured Field; which fields count is configured."""

import scene
from caching import asked, date, lasting, says, status
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal

# name: what stands beside the targeted field, its value, the ttl (None = not stored), why not
TABLE = {
    # RFC 9213 2.2: it alone decides
    "longer": ("max-age=10", "max-age=3600", 3600, None),
    "shorter": ("max-age=3600", "max-age=10", 10, None),
    "over no-store": ("no-store", "max-age=60", 60, None),
    "over private": ("private", "max-age=60", 60, None),
    "over s-maxage": ("s-maxage=3600", "max-age=10", 10, None),
    "no-store": ("max-age=60", "no-store", None, "no-store"),
    "private": ("max-age=60", "private", None, "private"),
    "no lifetime": ("max-age=60", "must-revalidate", None, "no-lifetime"),
    "unknown directives": ("max-age=60", "x-foo=1, max-age=30", 30, None),
    "parameters": ("max-age=60", "max-age=30;x=1;y", 30, None),
    # RFC 9213 2.2: what fails to parse, or is empty, is as if it were not there
    "no dictionary": ("max-age=60", "max-age=30, &&&", 60, None),
    "a string": ("max-age=60", 'max-age="30"', 60, None),
    "a decimal": ("max-age=60", "max-age=30.5", 60, None),
    "a token": ("max-age=60", "max-age=soon", 60, None),
    "negative": ("max-age=60", "max-age=-30", 60, None),
    "upper case": ("max-age=60", "Max-Age=30", 60, None),
    "empty": ("max-age=60", "", 60, None),
    "falls back to no-store": ("no-store", "max-age=30, &&&", None, "no-store"),
    # RFC 9651 4.2: of keys that stand twice the last one counts
    "twice": ("max-age=60", "max-age=20, max-age=30", 30, None),
    "false is not said": ("max-age=60", "no-store=?0, max-age=30", 30, None),
}


def test_values():
    rows = list(TABLE.values())

    def reply(request, _):
        control, targeted, _, _ = rows[int(request.target[1:])]
        return lasting(control, b"ok", f"CDN-Cache-Control: {targeted}")

    with Origin(reply) as origin, Larder(origin) as larder:
        for number, (name, (control, targeted, ttl, why)) in enumerate(TABLE.items()):
            target = f"/{number}"
            with case(name):
                got = larder.get(target)
                said = says(got, stored=True if ttl else None, detail=why)
                check(ttl is None or ttl - 1 <= said["ttl"] <= ttl, f"{said}")
                equal(larder.get(target).get("Cache-Control"), control, "sent on")
                equal(len(asked(origin, target)), 1 if ttl else 2)


def test_several_lines():
    """They are one dictionary (RFC 9110 5.3)."""
    said = answer(
        b"ok",
        "CDN-Cache-Control: public",
        "CDN-Cache-Control: max-age=30",
        "Cache-Control: max-age=9",
    )
    with Origin(said) as origin, Larder(origin) as larder:
        check(29 <= status(larder.get("/"))["ttl"] <= 30, "ttl")


def test_expires_does_not_count():
    """RFC 9213 2.2: neither Cache-Control nor Expires; heuristics are free to go on."""
    said = answer(
        b"ok", f"Expires: {date(3600)}", f"Last-Modified: {date(-600)}", "CDN-Cache-Control: public"
    )
    with Origin(said) as origin, Larder(origin) as larder:
        check(58 <= status(larder.get("/"))["ttl"] <= 60, "ttl")


def test_configured_list():
    """The first one of the list that is valid; what is not on the list is a field like others."""
    config = {"cache": {"targeted-fields": ["Shop-Cache-Control", "Edge-Cache-Control"]}}
    table = {
        "/both": (["Edge-Cache-Control: max-age=20", "Shop-Cache-Control: max-age=30"], 30),
        "/second": (["Edge-Cache-Control: max-age=20"], 20),
        "/first-invalid": (["Shop-Cache-Control: &", "Edge-Cache-Control: max-age=20"], 20),
        "/not-listed": (["CDN-Cache-Control: max-age=40"], 60),
    }
    with Origin(lambda r, _: lasting("max-age=60", b"ok", *table[r.target][0])) as origin:
        with Larder(origin, config=config) as larder:
            for target, (fields, ttl) in table.items():
                with case(target):
                    got = larder.get(target)
                    check(ttl - 1 <= status(got)["ttl"] <= ttl, f"{status(got)}")
                    for field in fields:
                        name, value = field.split(": ")
                        equal(got.get(name), value, f"{name} is sent on")


def test_an_empty_list():
    config = {"cache": {"targeted-fields": []}}
    with Origin(lasting("max-age=60", b"ok", "CDN-Cache-Control: no-store")) as origin:
        with Larder(origin, config=config) as larder:
            check(59 <= status(larder.get("/"))["ttl"] <= 60, "ttl")


scene.run()
