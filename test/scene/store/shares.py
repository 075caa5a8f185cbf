#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Shares: what a route has guaranteed stays in RAM whatever is asked of others, what it has at most
it does not pass, and nobody's room is left empty."""

import signal

import scene
from caching import bytes_of, is_hit, lasting
from larder import Larder
from origin import Origin
from scene import check, equal
from wire import head

MIB = 1024 * 1024
HOT = 16 * MIB
BODY = 16_000
SHOP = 200  # objects: 3.2 MB, under its fifth of RAM with all overhead


def reply(request, _):
    return lasting("max-age=9000", bytes_of(request.target, BODY))


def config(shares):
    routes = [{"path": path, "origin": "default", "share": share} for path, share in (
        ("/shop", "shop"), ("/crawl", "crawl"), ("/", ""))]
    return {"store": {"hot-size": "16m"}, "routes": routes, "shares": shares}


SHARES = [{"name": "shop", "min": 0.25}, {"name": "crawl", "max": 0.3}]


def ask_all(larder, path, count, first=0):
    """Asks for so many; how many of them were hits."""
    hits = 0
    with larder.connect() as wire:
        for number in range(first, first + count):
            wire.send(head(f"GET {path}/{number} HTTP/1.1", "Host: a"))
            got = wire.read_answer()
            check(got.body == bytes_of(f"{path}/{number}", BODY), "other bytes")
            hits += is_hit(got)
    return hits


def share_bytes(larder, share):
    return larder.metric("cache_share_bytes", tier="hot", share=share)


def test_guaranteed():
    """A flood through the others, of several times the tier, twice asked for: what is guaranteed
    stays, each of it; without a share it goes."""
    for shares, stays in ((SHARES, True), ([{"name": "shop"}, {"name": "crawl"}], False)):
        with Origin(reply) as origin, Larder(origin, config=config(shares)) as larder:
            ask_all(larder, "/shop", SHOP)
            for first in range(0, 4000, 500):
                ask_all(larder, "/other", 500, first)
                ask_all(larder, "/other", 500, first)
            hits = ask_all(larder, "/shop", SHOP)
            check(hits == SHOP if stays else hits < SHOP / 4, f"{hits} of {SHOP}: {shares}")
            check(larder.metric("cache_bytes", tier="hot") <= HOT, "over the budget")
            check(larder.metric("cache_bytes", tier="hot") >= 0.9 * HOT, "room is left empty")


def test_most():
    """Who is over its most makes room for itself, and for nobody else."""
    with Origin(reply) as origin, Larder(origin, config=config(SHARES)) as larder:
        ask_all(larder, "/other", 300)
        ask_all(larder, "/crawl", 2000)
        most = share_bytes(larder, "crawl")
        check(0.25 * HOT <= most <= 0.3 * HOT, f"{most / HOT:.2f} of the tier")
        equal(ask_all(larder, "/other", 300), 300)
        check(larder.metric("cache_evictions_total", tier="hot", why="share") > 0, "not counted")


def test_reload():
    """A share that is named later counts from then on, for what is there, too."""
    with Origin(reply) as origin, Larder(
        origin, config={"store": {"hot-size": "16m"}}
    ) as larder:
        larder.configure(config(SHARES))
        larder.signal(signal.SIGHUP)
        larder.wait_for_metric(1, "config_reloads_total", result="ok")
        ask_all(larder, "/shop", SHOP)
        ask_all(larder, "/other", 3000)
        equal(ask_all(larder, "/shop", SHOP), SHOP)
        check(share_bytes(larder, "shop") > SHOP * BODY, "not shown")


scene.run()
