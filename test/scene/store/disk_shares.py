#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Shares of the disk: what a route has guaranteed stays there whatever is stored for others, what it
has at most it does not pass, in this life and in the next."""

import scene
from caching import bytes_of, crash, is_hit, lasting, restart, wait_until_written, with_store
from larder import Larder
from origin import Origin
from scene import case, check, equal, eventually
from wire import head

MIB = 1024 * 1024
DISK = 64 * MIB
BODY = 200_000
SHOP = 60  # 12 MB, under its quarter of the disk
FLOOD = 500  # 100 MB
SHARES = [{"name": "shop", "min": 0.3}, {"name": "crawl", "max": 0.3}]


def reply(request, _):
    return lasting("max-age=9000", bytes_of(request.target, BODY))


def store(origin, shares=SHARES):
    larder = with_store(origin)
    routes = [
        {"path": path, "origin": "default", "share": share}
        for path, share in (("/shop", "shop"), ("/crawl", "crawl"), ("/", ""))
        if shares or not share
    ]
    settings = {"path": str(larder.path / "store"), "size": "64m", "hot-size": "2m"}
    larder.configure({"store": settings, "routes": routes, "shares": shares})
    return larder


def ask_all(larder, path, count, first=0):
    hits = 0
    with larder.connect() as wire:
        for number in range(first, first + count):
            wire.send(head(f"GET {path}/{number} HTTP/1.1", "Host: a"))
            got = wire.read_answer()
            check(got.body == bytes_of(f"{path}/{number}", BODY), "other bytes")
            hits += is_hit(got)
    return hits


def settle(larder):
    """All that was taken is on disk; bodies too large for RAM are on their way there by themselves."""

    def is_settled():
        taken = larder.metric("store_admissions_total", verdict="admitted", rule="always")
        return larder.metric("store_writes_total", kind="object") == taken

    eventually(is_settled, "it does not end writing")


def flood(larder, path):
    """All of it reaches the disk: a writer that falls behind would leave some out."""
    for first in range(0, FLOOD, 50):
        ask_all(larder, path, 50, first)
        settle(larder)


def share_bytes(larder, share):
    return larder.metric("cache_share_bytes", tier="cold", share=share)


def test_guaranteed():
    """A flood of more than the disk, through the route that nobody's objects come by; without
    shares the same flood takes all."""
    for shares, stays in ((SHARES, True), ([], False)):
        with case(f"{shares}"), Origin(reply) as origin, store(origin, shares) as larder:
            ask_all(larder, "/shop", SHOP)
            settle(larder)
            flood(larder, "/other")
            hits = ask_all(larder, "/shop", SHOP)
            if not stays:
                check(hits < SHOP / 2, f"{hits} of {SHOP} are left by themselves")
                continue
            equal(hits, SHOP)
            restart(larder)
            flood(larder, "/more")
            equal(ask_all(larder, "/shop", SHOP), SHOP, "after a restart")
            eventually(lambda: share_bytes(larder, "shop") > SHOP * BODY / 2, "not shown")


def test_most():
    """Who is over its most makes room for itself; the others' objects stay."""
    with Origin(reply) as origin, store(origin) as larder:
        ask_all(larder, "/other", 60)
        flood(larder, "/crawl")
        equal(ask_all(larder, "/other", 60), 60)
        check(ask_all(larder, "/crawl", 10, FLOOD - 10) == 10, "its newest are gone")
        eventually(lambda: 0 < share_bytes(larder, "crawl") <= 0.32 * DISK, "more than its most")


def test_crash():
    """Each log knows for itself what reached the disk: nothing is torn, whatever the order."""
    with Origin(reply) as origin, store(origin) as larder:
        for number in range(0, 100, 10):
            for path in ("/shop", "/crawl", "/other"):
                ask_all(larder, path, 10, number)
            crash(larder)
        for path in ("/shop", "/crawl", "/other"):
            ask_all(larder, path, 100)


scene.run()
