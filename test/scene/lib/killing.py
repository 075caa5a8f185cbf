# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of everything, again and again: what test/scene/store/crash.py does a few
times and tools/bench/killer many.

Clients read (whole, in part, anew) and write while the store is full and evicts. A body is made of
its object's number and revision and its digest is in a field of its own, so what is torn, mixed or
another's is found out. A write gives its object the next revision; once its answer is here, no
request that is sent afterwards may get an older one; nor, if the write was noted by then, after Larder
was killed.
"""

import hashlib
import random
import threading
import time
from collections import Counter

from caching import bytes_of, crash, lasting, with_store
from origin import Origin, answer
from scene import check
from wire import Cut, Malformed, head

KIB, MIB = 1024, 1024 * 1024
SMALLEST, LARGEST = KIB, 8 * MIB
BASE = bytes_of("base", LARGEST + 8 * MIB)  # of which each body is a part
JOIN_SECONDS = 30
LONG_S = 2


def body_of(number, revision, size):
    at = random.Random(f"{number} {revision}").randrange(len(BASE) - size)
    return BASE[at : at + size]


def digest_of(number, revision, body):
    return hashlib.sha1(b"%d %d " % (number, revision) + body).hexdigest()


class Catalog:
    """The origin's objects, and what clients may expect of them."""

    def __init__(self, count, seed):
        chance = random.Random(seed)
        self.sizes = [LARGEST] + [self.a_size(chance) for _ in range(count - 1)]
        self.revisions = [0] * count  # what the origin has
        self.floors = [0] * count  # what a request sent now must get at least
        self.written_at = [0] * count  # when the client knew
        self.lock = threading.Lock()

    @staticmethod
    def a_size(chance):
        """As many of 1 to 2 KiB as of 4 to 8 MiB."""
        return int(SMALLEST * (LARGEST / SMALLEST) ** chance.random())

    def reply(self, request, _):
        number = int(request.target[1:])
        if request.method == "PUT":
            with self.lock:
                self.revisions[number] += 1
                revision = self.revisions[number]
            return answer(b"", f"X-Revision: {revision}")
        revision = self.revisions[number]
        tag = f'ETag: "{number}-{revision}"'
        # Some grow old within a second, so that they are validated without being asked to be.
        control = "max-age=1" if number % 7 == 0 else "max-age=9000"
        fields = [tag, f"X-Revision: {revision}"] + (["Vary: Foo"] if number % 10 == 0 else [])
        if f"ETag: {request.get('If-None-Match')}" == tag:
            return head("HTTP/1.1 304 Not Modified", f"Cache-Control: {control}", *fields)
        body = body_of(number, revision, self.sizes[number])
        return lasting(control, body, *fields, f"X-Digest: {digest_of(number, revision, body)}")

    def is_written(self, number, revision):
        """A client knows that the object was written."""
        with self.lock:
            self.floors[number] = max(self.floors[number], revision)
            self.written_at[number] = time.monotonic()

    def fault_of(self, number, got, floor, span):
        """What is wrong with an answer: None, torn, back or failed."""
        if got.status not in (200, 206):
            return "failed"
        revision = int(got.get("X-Revision"))
        if got.status == 206:
            whole = body_of(number, revision, self.sizes[number])
            is_whole = got.body == whole[span[0] : span[1] + 1]
        else:
            is_whole = got.get("X-Digest") == digest_of(number, revision, got.body)
        return "torn" if not is_whole else "back" if revision < floor else None


class Load:
    """Clients that ask and write until Larder dies under them. A connection that ends before is a
    failed request."""

    def __init__(self, larder, catalog, clients, seed):
        self.larder, self.catalog = larder, catalog
        self.counts, self.faults = Counter(), []
        self.is_killed = False
        self.crew = [threading.Thread(target=self.run, args=(f"{seed} {number}",), daemon=True)
                     for number in range(clients)]  # fmt: skip
        for one in self.crew:
            one.start()

    def run(self, seed):
        chance = random.Random(seed)
        try:
            with self.larder.connect() as wire:
                while True:
                    number = chance.randrange(len(self.catalog.sizes))
                    if chance.random() < 0.15:
                        self.write(wire, number)
                    else:
                        self.read(wire, number, chance)
        except (Cut, OSError, Malformed) as fault:
            if not self.is_killed or isinstance(fault, Malformed):
                self.faults.append(("failed", repr(fault)))

    def write(self, wire, number):
        wire.send(head(f"PUT /{number} HTTP/1.1", "Host: a", "Content-Length: 2"), b"hi")
        got = wire.read_answer()
        self.counts["writes"] += 1
        if got.status == 200:
            self.catalog.is_written(number, int(got.get("X-Revision")))
        else:
            self.faults.append(("failed", f"PUT /{number}: {got.status}"))

    def read(self, wire, number, chance):
        size, kind = self.catalog.sizes[number], chance.random()
        first = chance.randrange(size)
        span = (first, min(first + chance.randrange(100 * KIB), size - 1))
        how = (["Cache-Control: no-cache"] if kind < 0.3 else
               [f"Range: bytes={span[0]}-{span[1]}"] if kind < 0.45 else [])  # fmt: skip
        floor = self.catalog.floors[number]
        line = f"GET /{number} HTTP/1.1"
        wire.send(head(line, "Host: a", f"Foo: {chance.randrange(2)}", *how))
        got = wire.read_answer()
        self.counts["reads"] += 1
        if fault := self.catalog.fault_of(number, got, floor, span):
            self.faults.append((fault, told(self.catalog, number, got, floor)))

    def end(self):
        for one in self.crew:
            one.join(JOIN_SECONDS)
            check(not one.is_alive(), "a request did not end with Larder")


def told(catalog, number, got, floor):
    ago = time.monotonic() - catalog.written_at[number]
    return (f"/{number}: {got.status}, {len(got.body)} bytes, revision {got.get('X-Revision')}, "
            f"{floor} was written {ago:.3f} s ago, {got.get('Cache-Status')}")  # fmt: skip


def check_one(larder, catalog, number):
    """What is there of an object without the origin: the answer, None = nothing, and its fault."""
    floor = catalog.floors[number]
    try:
        got = larder.get(f"/{number}", "Foo: 1", "Cache-Control: only-if-cached")
    except (Cut, OSError) as fault:
        return None, ("failed", f"/{number}: {fault!r}")
    if got.status == 504:
        return None, None
    fault = catalog.fault_of(number, got, floor, None)
    return got, (fault, told(catalog, number, got, floor)) if fault else None


def check_stored(larder, catalog):
    """How many objects are there, which writes were lost, and all faults."""
    found, lost, faults = 0, [], []
    for number in range(len(catalog.floors)):
        got, fault = check_one(larder, catalog, number)
        found += got is not None
        if fault and fault[0] == "back":
            lost.append((number, fault))
            catalog.floors[number] = int(got.get("X-Revision"))
        elif fault:
            faults.append(fault)
    return found, lost, faults


class Killer:
    """The rounds, and what is counted in them. A write that was lost is told once, with its age when
    Larder was killed: from then on nobody expects it any more."""

    def __init__(self, objects, clients, seed, say=print, **store):
        self.catalog = Catalog(objects, seed)
        self.clients, self.chance, self.say, self.store = clients, random.Random(seed), say, store
        self.counts, self.faults, self.found = Counter(), [], []
        self.slowest_start_s = self.oldest_lost_s = 0

    def run(self, rounds, shortest_s, longest_s):
        """On a slow machine more rounds, and longer ones, until the store is full and evicts."""
        config = {"limits": {"requests": 0}}
        with Origin(self.catalog.reply) as origin, with_store(
            origin, config=config, workers=2, **self.store
        ) as larder:  # fmt: skip
            for number in range(4 * rounds):
                if number >= rounds:
                    if self.counts["MiB evicted"] > 0:
                        break
                    shortest_s = longest_s = max(longest_s, LONG_S)
                faults = self.round(larder, self.chance.uniform(shortest_s, longest_s))
                for kind, said in faults:
                    self.say(f"    round {number}: {kind}: {said}")
                self.faults += faults
                origin.forget()

    def round(self, larder, seconds):
        born = time.monotonic()
        load = Load(larder, self.catalog, self.clients, self.chance.random())
        noted = self.last_noted(larder, born, seconds)
        self.counts["writes noted"] += sum(born < at < noted for at in self.catalog.written_at)
        self.note_meters(larder)
        load.is_killed = True
        larder.child.kill()
        killed = time.monotonic()
        load.end()
        begin = time.monotonic()
        crash(larder)
        self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - begin)
        found, lost, faults = check_stored(larder, self.catalog)
        ages = [killed - self.catalog.written_at[number] for number, _ in lost]
        faults += [fault for number, fault in lost if self.catalog.written_at[number] < noted]
        self.oldest_lost_s = max([self.oldest_lost_s, *ages])
        self.found.append(found)
        self.counts += load.counts
        return load.faults + faults

    @staticmethod
    def last_noted(larder, born, seconds):
        """Lets the load go on; up to when all writes whose answers were here are noted on disk. A
        write's answer does not wait for that: a kill in between loses the note. Nothing waits in a
        life that begins."""
        noted, end = born, born + seconds
        while (now := time.monotonic()) < end:
            if larder.metric("store_queue_notes") == 0:
                noted = now
            time.sleep(max(0, min(0.02, end - time.monotonic())))
        return noted

    def note_meters(self, larder):
        """What this life has done; the next one counts from 0."""
        evicted = larder.metric("cache_evicted_bytes_total", tier="cold", why="size")
        self.counts["objects stored"] += int(larder.metric("store_writes_total", kind="object"))
        self.counts["MiB evicted"] += int(evicted) // MIB

    def count(self, kind):
        return sum(fault[0] == kind for fault in self.faults)
