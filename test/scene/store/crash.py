#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of reads and writes, 10 times (CRASH_ROUNDS), with eviction running and
bodies that live on disk only: Larder starts each time, and what it then gives out is whole, right and
not older than the last acknowledged write. No request fails but those that the kill cuts.
tools/bench/killer is the same for longer."""

import os

import scene
from killing import LARGEST, MIB, Killer
from scene import case, check, equal

ROUNDS = int(os.environ.get("CRASH_ROUNDS", 10))
OBJECTS, CLIENTS, HOT_MIB = 200, 6, 16


def test_kill_9():
    killer = Killer(OBJECTS, CLIENTS, 20, size="130m", **{"hot-size": f"{HOT_MIB}m"})
    check(max(killer.catalog.sizes) == LARGEST > HOT_MIB * MIB // 16, "no body is for disk only")
    killer.run(ROUNDS, 0.1, 0.5)
    print(f"    {dict(killer.counts)}, objects found after each crash {killer.found}")
    for kind, what in (("torn", "bodies"), ("failed", "requests"), ("back", "lost writes")):
        with case(what):
            equal(killer.count(kind), 0, f"{kind} {what}")
    check(killer.counts["MiB evicted"] > 0, "nothing was evicted")
    check(killer.counts["writes noted"] > 0, "no write was to outlive a crash")
    check(max(killer.found) > OBJECTS / 10, "too little outlived a crash for this to prove anything")


scene.run()
