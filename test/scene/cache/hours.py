#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What takes hours, with a clock that the scene moves: freshness ends (RFC 9111 4.2), the windows
behind it end (RFC 5861), and what is kept to be validated is not kept for ever."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

import scene
from caching import Pages, asked, is_hit, lasting, says, status, wait_until_asked
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal, skip
from wire import head

HOUR = 3600
PRELOAD = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
DOWN = answer(b"down", status="503 Down")


class Clock:
    """The time that a Larder believes it is."""

    def __init__(self, path):
        self.file = path
        self.set(0)

    def set(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(f"{'+' if seconds >= 0 else '-'}{abs(seconds)}s\n")
        new.rename(self.file)
        time.sleep(0.02)  # no clock is read all the time: a loop's own is as old as its last event


@contextmanager
def clocked(origin, config=None):
    if os.environ.get("SAN") or not os.path.exists(PRELOAD):
        skip("no libfaketime, or a sanitizer that does not get along with it")
    larder = Larder(origin, config=config)
    clock = Clock(Path(larder.path / "clock"))
    fake = {
        "LD_PRELOAD": PRELOAD,
        "FAKETIME_TIMESTAMP_FILE": str(clock.file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    os.environ.update(fake)
    try:
        larder.start()
    finally:
        for name in fake:
            del os.environ[name]
    try:
        yield larder, clock
    finally:
        Larder.__exit__(larder, None)


def test_fresh_for_hours():
    said = lasting(f"max-age={2 * HOUR}", b"old", 'ETag: "x"')
    with Origin(Pages({"/": [said, lasting("max-age=60", b"new")]})) as origin, clocked(origin) as (
        larder,
        clock,
    ):
        larder.get("/")
        for hours in (0.5, 1, 1.99):
            clock.set(int(hours * HOUR))
            got = larder.get("/")
            check(is_hit(got), f"stale after {hours} h")
            check(abs(int(got.get("Age")) - hours * HOUR) <= 2, f"Age {got.get('Age')}")
            check(abs(status(got)["ttl"] - (2 - hours) * HOUR) <= 2, f"ttl {status(got)['ttl']}")
        clock.set(2 * HOUR + 1)
        got = larder.get("/")
        says(got, fwd="stale", fwd_status=200)
        equal(got.body, b"new")


def test_windows():
    """Each at its time: stale-while-revalidate for an hour, stale-if-error for three."""
    control = f"max-age={HOUR}, stale-while-revalidate={HOUR}, stale-if-error={3 * HOUR}"
    with Origin(Pages({"/": [lasting(control, b"old", 'ETag: "x"'), DOWN]})) as origin:
        with clocked(origin) as (larder, clock):
            larder.get("/")
            clock.set(HOUR - 5)
            says(larder.get("/"), hit=True, detail=None)
            clock.set(HOUR + 5)
            says(larder.get("/"), hit=True, detail="stale-while-revalidate")
            wait_until_asked(origin, "/", 2)
            larder.wait_for_metric(0, "cache_fetches_under_way")
            clock.set(2 * HOUR + 5)
            got = larder.get("/")
            equal(got.status, 200)
            says(got, detail="stale-if-error")
            clock.set(4 * HOUR - 5)
            says(larder.get("/"), detail="stale-if-error")
            clock.set(4 * HOUR + 5)
            equal(larder.get("/").status, 503, "when both are over")


def test_a_304_hours_later():
    """It is young again: Age starts anew."""
    said = lasting(f"max-age={HOUR}", b"old", 'ETag: "x"')
    valid = head("HTTP/1.1 304 Not Modified", 'ETag: "x"')
    with Origin(Pages({"/": [said, valid]})) as origin, clocked(origin) as (larder, clock):
        larder.get("/")
        clock.set(HOUR + 600)
        says(larder.get("/"), fwd="stale", fwd_status=304)
        clock.set(2 * HOUR + 500)
        got = larder.get("/")
        check(is_hit(got), f"{says(got)}")
        check(abs(int(got.get("Age")) - (HOUR - 100)) <= 2, f"Age {got.get('Age')}")


def test_kept_to_be_validated():
    """`keep`: for so long a stale answer's validators are used; then it is forgotten."""
    config = {"cache": {"keep": "2h"}}
    said = lasting("max-age=60", b"old", 'ETag: "x"')
    for hours, condition in ((1.9, '"x"'), (2.1, None)):
        with case(f"after {hours} h"), Origin(said) as origin, clocked(origin, config) as (
            larder,
            clock,
        ):
            larder.get("/")
            clock.set(int(hours * HOUR))
            got = larder.get("/")
            equal(asked(origin, "/")[1].get("If-None-Match"), condition)
            says(got, fwd="stale" if condition else "uri-miss")


def test_a_clock_that_goes_back():
    """An answer from the future is as old as nothing, and no older than it was."""
    with Origin(lasting("max-age=60", b"old")) as origin, clocked(origin) as (larder, clock):
        larder.get("/")
        clock.set(-HOUR)
        got = larder.get("/")
        equal((got.status, got.get("Age")), (200, "0"))


scene.run()
