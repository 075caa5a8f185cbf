#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that fails while the store is opened."""

import errno

import scene
from faults import fill, shimmed, traffic, wait_for_state, wait_for_writes
from scene import case, equal


def test_it_fails_from_the_start():
    """Whatever fails at the opening, Larder starts, and has its store when the disk is well."""
    io = errno.EIO
    calls = (f"open {io}", f"read {io}", f"sync {io} MANIFEST", f"write {io} MANIFEST")
    calls += (f"open {io} LOG", f"write {errno.ENOSPC} .log", f"open-read {io}")
    for call in calls:
        with case(call), shimmed() as (_, larder, shim):
            fill(larder, 10)
            larder.child.terminate()
            equal(larder.wait(), 0)
            larder.child.stdout.close()
            shim.fail(call)
            larder.start()
            with traffic(larder):
                shim.heal()
                wait_for_state(larder, "ok")
                wait_for_writes(larder)


scene.run()
