#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of stores, 20 times (CRASH_ROUNDS) under load, with eviction running and
bodies that live on disk only: Larder starts each time, and what it then gives out is whole and right.
Each body's digest travels in a field of its own, so a body that is torn, mixed or another object's is
found out. No request fails but those that the kill cuts."""

import hashlib
import os
import random
import threading
import time

import scene
from caching import bytes_of, crash, lasting, with_store
from origin import Origin
from scene import check, equal
from wire import Cut, head

ROUNDS = int(os.environ.get("CRASH_ROUNDS", 20))
OBJECTS, CLIENTS = 200, 6
CHANCE = random.Random(20)
SIZES = [int(min(CHANCE.lognormvariate(10, 1.5), 5_000_000)) for _ in range(OBJECTS)]
REVISIONS = 3


def make(number, revision):
    body = bytes_of(f"{number} {revision}", SIZES[number] + revision)
    digest = hashlib.sha1(b"%d " % number + body).hexdigest()
    fields = [f"X-Digest: {digest}"] + (["Vary: Foo"] if number % 10 == 0 else [])
    return lasting("max-age=9000", body, *fields)


PAGES = [[make(number, revision) for revision in range(REVISIONS)] for number in range(OBJECTS)]


def reply(request, _):
    return random.choice(PAGES[int(request.target[1:])])


def is_right(number, got):
    return got.get("X-Digest") == hashlib.sha1(b"%d " % number + got.body).hexdigest()


class Load:
    """Clients that ask, half of the time for a new copy, until Larder dies under them."""

    def __init__(self, larder):
        self.larder = larder
        self.wrong = []
        self.answers = 0
        self.is_killed = False
        self.crew = [threading.Thread(target=self.run, args=(seed,)) for seed in range(CLIENTS)]
        for one in self.crew:
            one.start()

    def run(self, seed):
        chance = random.Random(f"{seed} {time.monotonic()}")
        try:
            with self.larder.connect() as wire:
                while True:
                    number = chance.randrange(OBJECTS)
                    anew = ["Cache-Control: no-cache"] if chance.random() < 0.5 else []
                    wire.send(head(f"GET /{number} HTTP/1.1", "Host: a", "Foo: 1", *anew))
                    got = wire.read_answer()
                    self.answers += 1
                    if got.status != 200 or not is_right(number, got):
                        self.wrong.append((number, got.status, len(got.body)))
        except (Cut, OSError) as fault:
            if not self.is_killed:
                self.wrong.append(fault)

    def end(self):
        for one in self.crew:
            one.join(20)


def check_stored(larder):
    """What is there without the origin, each body held against its digest. Returns how many."""
    found = 0
    with larder.connect() as wire:
        for number in range(OBJECTS):
            wire.send(
                head(
                    f"GET /{number} HTTP/1.1", "Host: a", "Foo: 1", "Cache-Control: only-if-cached"
                )
            )
            got = wire.read_answer()
            check(got.status in (200, 504), f"/{number}: {got.status}")
            if got.status == 200:
                check(
                    is_right(number, got),
                    f"/{number}: torn, {len(got.body)} bytes of {SIZES[number]}",
                )
                found += 1
    return found


def test_kill_9():
    found, asked = [], 0
    with Origin(reply) as origin, with_store(
        origin, size="64m", workers=2, **{"hot-size": "8m"}
    ) as larder:
        evicted = 0
        for _ in range(ROUNDS):
            load = Load(larder)
            time.sleep(CHANCE.uniform(0.05, 0.25))
            evicted += larder.metric("cache_evicted_bytes_total", tier="cold", why="size")
            load.is_killed = True
            larder.child.kill()
            load.end()
            equal(load.wrong, [], "answers under load")
            asked += load.answers
            crash(larder)
            found.append(check_stored(larder))
            origin.forget()
    print(f"    answers under load {asked}, objects found after each crash {found}")
    check(evicted > 0, "nothing was evicted")
    check(max(found) > OBJECTS / 10, "too little outlived a crash for this to prove anything")


scene.run()
