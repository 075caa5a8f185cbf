#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What is read from the disk comes back to RAM when it is read a second time, or while there is
room."""

import scene
from caching import bytes_of, is_hit, lasting, restart, wait_until_written, with_store
from origin import Origin
from scene import case, check, equal
from wire import head

SIZES = {"small": 16_000, "parted": 300_000}
FLOOD = 2000


def reply(request, _):
    size = SIZES.get(request.target.split("/")[1], 16_000)
    return lasting("max-age=9000", bytes_of(request.target, size))


def get(larder, target):
    got = larder.get(target)
    check(got.body == reply_body(target), "other bytes")
    return got


def reply_body(target):
    return bytes_of(target, SIZES.get(target.split("/")[1], 16_000))


def loads(larder):
    return larder.metric("store_reads_total", result="found")


def verdicts(larder):
    names = ("promoted", "first-sight")
    return [larder.metric("cache_promotions_total", verdict=name) for name in names]


def test_second_sight():
    for name in SIZES:
        with case(name), Origin(reply) as origin:
            with with_store(origin, **{"hot-size": "6m"}) as larder:
                second_sight(larder, f"/{name}/1")
            equal(len(origin.requests), FLOOD + 1)


def second_sight(larder, target):
    with larder.connect() as wire:
        for each in [target] + [f"/flood/{i}" for i in range(FLOOD)]:
            wire.send(head(f"GET {each} HTTP/1.1", "Host: a"))
            wire.read_answer()
    wait_until_written(larder, FLOOD + 1)
    for wanted in ([0, 1], [1, 1]):
        check(is_hit(get(larder, target)), "not on disk")
        equal(verdicts(larder), wanted)
    equal(loads(larder), 2)
    for _ in range(3):
        check(is_hit(get(larder, target)), "not in RAM")
    equal(loads(larder), 2)


def test_room():
    """An empty tier, after a restart, takes everything at once."""
    with Origin(reply) as origin, with_store(origin, **{"hot-size": "6m"}) as larder:
        get(larder, "/small/1")
        wait_until_written(larder, 1)
        restart(larder)
        for _ in range(3):
            check(is_hit(get(larder, "/small/1")), "not there")
        equal(loads(larder), 1)
        equal(verdicts(larder), [1, 0])


scene.run()
