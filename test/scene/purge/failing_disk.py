#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Purges while the disk is not well: the answer says so, the purge is in force all the same, and
it is written once the disk is well again, each once."""

import errno
import time

import scene
from caching import restart, start_again, wait_until_written, with_store
from faults import SHIM, Shim, wait_for_state
from origin import Origin
from purging import (
    ONE_PAGE,
    NumberedShop,
    check_hit,
    for_page,
    get,
    log_of,
    order,
    purged,
    stored,
)
from scene import case, check, equal, eventually, skip

LATER = 10  # which pages are purged and not asked for before the next life


def failing(name, *lines):
    """Purges while calls on the store's files fail."""
    if not SHIM.exists():
        skip(f"no {SHIM}")
    with case(name), Origin(NumberedShop()) as origin:
        larder = with_store(origin)
        shim = Shim(larder, larder.path / "store")
        larder.start()
        try:
            for number in range(2 * LATER):
                get(larder, f"a/{number}")
            wait_until_written(larder, 2 * LATER)
            restart(larder)
            shim.fail(*lines)
            begin, count = time.monotonic(), 2 * len(ONE_PAGE)
            for number, what in enumerate(ONE_PAGE):
                code, said = order(larder, for_page(what, number) | {"mode": "hard"})
                equal(code, 503, f"{what}: {said}")
                check("in force" in said["detail"], said)
                check("seq" not in said, said)
                equal(order(larder, for_page(what, number + LATER) | {"mode": "hard"})[0], 503)
                # The later ones are not asked for in this life: who finds one may take it away.
                got = get(larder, f"a/{number}", "Cache-Control: only-if-cached")
                equal(got.status, 504, f"{what} is not in force")
            check(time.monotonic() - begin < 10, "it takes too long to say no")
            check_hit(larder, f"a/{LATER - 1}", b"1")
            shim.heal()
            wait_for_state(larder, "ok")
            eventually(lambda: len(log_of(larder)) == count, f"{log_of(larder)}")
            larder.child.kill()
            larder.wait()
            start_again(larder)
            for number in (*range(len(ONE_PAGE)), *range(LATER, LATER + len(ONE_PAGE))):
                check(get(larder, f"a/{number}").body != b"1", f"{number} came back")
            check_hit(larder, f"a/{LATER - 1}", b"1")
            # And it goes on: the numbers have no gaps.
            equal(purged(larder, tags=["x"], mode="hard")["seq"], count + 1)
            equal([one["seq"] for one in log_of(larder)], list(range(1, count + 2)))
        finally:
            larder.__exit__(None)


def test_the_disk_is_full():
    failing("full", *(f"{call} {errno.ENOSPC}" for call in ("write", "sync", "open")))


def test_the_disk_fails():
    failing("failing", *(f"{call} {errno.EIO}" for call in ("write", "sync", "open")))


def test_syncing_fails():
    """What is written and not synced is no purge to rely on."""
    failing("sync", f"sync {errno.EIO}")


def test_killed_while_the_disk_fails():
    """The answer said that a restart would undo it: then it may be back, but it may not be half."""
    if not SHIM.exists():
        skip(f"no {SHIM}")
    with Origin(NumberedShop()) as origin:
        larder = stored(origin, 3)
        shim = Shim(larder, larder.path / "store")
        try:
            restart(larder)
            shim.fail(*(f"{call} {errno.EIO}" for call in ("write", "sync", "open")))
            code, _ = order(larder, {"tags": ["t0"], "files": ["http://a/1"], "mode": "hard"})
            equal(code, 503)
            larder.child.kill()
            larder.wait()
            shim.heal()
            start_again(larder)
            both = {get(larder, "a/0").body, get(larder, "a/1").body}
            equal(len(both), 1, "half of it is in force")
            check_hit(larder, "a/2", b"1")
            seqs = [one["seq"] for one in log_of(larder)]
            equal(seqs, list(range(1, len(seqs) + 1)))
        finally:
            larder.__exit__(None)


scene.run()
