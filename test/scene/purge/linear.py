#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Linearisability: readers, an origin whose versions move, purgers of all scopes and restarts,
all at once, in randomised histories. No reader sees a version older than the one that the origin
had when the last purge that covers the URL was sent, of those that were acknowledged before the
reader asked. After a soft purge that holds from the first answer on that is new enough: until
then the old one may be served.

A history is a host of its own with a few URLs; many run side by side on one Larder, which is
ended and killed all the while and finds its store again each time.

    LARDER_SEED        where the histories begin; each has the seed LARDER_SEED + its number
    LARDER_HISTORIES   how many
"""

import asyncio
import json
import os
import random
import signal
import time

import scene
from caching import with_store
from scene import check
from wire import head

SEED = int(os.environ.get("LARDER_SEED") or time.time_ns() % 10**9)
COUNT = int(os.environ.get("LARDER_HISTORIES") or 0)  # 0 = what fits into SECONDS
SECONDS = 6
ABREAST = 24
URLS, READERS, READS, PURGES = 3, 3, 6, 3
DELAY_S = 0.03
SIZES = (10, 10, 2_000, 30_000, 200_000)
RESTART_S = (0.4, 1.5)


# ---- the origin ----


class Shop:
    """Versions by host and path. What an answer says is decided when its request has come; what of
    it is sent when is left to chance."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.pages = {}  # (host, path) -> Page

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def serve(self, reader, writer):
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                fields = {k.lower(): v for k, _, v in (one.partition(": ") for one in lines[1:-2])}
                page = self.pages.get((fields["host"], lines[0].split(" ")[1]))
                if not page:
                    break  # its history is over
                await self.answer(writer, page, fields.get("if-none-match"))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def nap(self):
        if self.chance.random() < 0.5:
            await asyncio.sleep(self.chance.random() * DELAY_S)

    async def answer(self, writer, page, condition):
        tag = f'"{page.version}"'
        fields = [*page.fields, f"ETag: {tag}", f"X-Version: {page.version}"]
        body = page.body()
        await self.nap()
        if condition == tag:
            writer.write(head("HTTP/1.1 304 Not Modified", *fields))
        elif self.chance.random() < 0.3:
            writer.write(head("HTTP/1.1 200 OK", *fields, "Transfer-Encoding: chunked"))
            for part in (body[:5], body[5:]):
                await self.nap()
                writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await self.nap()
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(head("HTTP/1.1 200 OK", *fields, f"Content-Length: {len(body)}"))
            await self.nap()
            writer.write(body[:5])
            await self.nap()
            writer.write(body[5:])
        await writer.drain()


class Page:
    def __init__(self, host, path, tags, size, extra):
        self.host, self.path, self.tags, self.size = host, path, tags, size
        self.version = 1
        self.floor = 0  # what a request that is sent now must get, at least
        self.hoped = 0  # ... once an answer was that new, after a soft purge
        self.hoped_at = 0.0
        self.fields = ["Cache-Control: max-age=9000", *extra]
        if tags:
            self.fields.append(f"Surrogate-Key: {' '.join(tags)}")

    def body(self):
        text = b"%9d " % self.version
        return text + b"x" * (self.size - len(text))


# ---- clients ----


class Link:
    """One connection of a client, made anew when it broke."""

    def __init__(self, port):
        self.port, self.writer = port, None

    async def ask(self, request):
        """Status, fields and body; None: the connection broke, whatever that means."""
        try:
            if not self.writer:
                self.reader, self.writer = await asyncio.open_connection(
                    "127.0.0.1", self.port, limit=1 << 20
                )
            self.writer.write(request)
            return await asyncio.wait_for(self.read(), 10)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            await asyncio.sleep(0.01)
            return None

    def close(self):
        if self.writer:
            self.writer.close()
        self.writer = None

    async def read(self):
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {k.lower(): v for k, _, v in (one.partition(": ") for one in lines if one)}
        if "transfer-encoding" in fields:
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            body = await self.reader.readexactly(int(fields["content-length"]))
        if fields.get("connection") == "close":
            self.close()
        return int(first.split(" ")[1]), fields, body


class World:
    """One Larder, one origin, and what all histories share."""

    def __init__(self, larder, shop, mode, seed):
        self.larder, self.shop, self.mode = larder, shop, mode
        self.chance = random.Random(seed)
        self.life = 0  # counts ends and starts
        self.is_over = False
        self.reads = self.acked = self.hits = 0
        self.faults = []


class History:
    def __init__(self, world, seed):
        self.world, self.seed, self.host = world, seed, f"h{seed}.example"
        self.chance = random.Random(seed)
        self.pages = [self.a_page(number) for number in range(URLS)]
        for page in self.pages:
            world.shop.pages[page.host, page.path] = page
        self.told = []

    def a_page(self, number):
        tags = [tag for tag in "abc" if self.chance.random() < 0.5]
        extra = ["Vary: Foo"] if self.chance.random() < 0.3 else []
        if self.world.mode == "soft" and self.chance.random() < 0.5:
            extra.append("Cache-Control: stale-while-revalidate=900")
        path = self.chance.choice(("/p", "/p/q", "/r")) + f"/{number}"
        tags = [f"{tag}-{self.seed}" for tag in tags]
        return Page(self.host, path, tags, self.chance.choice(SIZES), extra)

    async def run(self):
        jobs = [self.read_some() for _ in range(READERS)]
        await asyncio.gather(*jobs, self.purge_some())
        for page in self.pages:
            del self.world.shop.pages[page.host, page.path]

    def fault(self, said):
        past = "".join(f"\n        {line}" for line in self.told)
        self.world.faults.append(f"seed {self.seed}: {said}, after{past}")

    # ---- reading ----

    async def read_some(self):
        link = Link(self.world.larder.port)
        for _ in range(READS):
            page = self.chance.choice(self.pages)
            await self.read(link, page)
            if self.chance.random() < 0.3:
                await asyncio.sleep(self.chance.random() * DELAY_S)
        link.close()

    async def read(self, link, page):
        floor, began, life = page.floor, time.monotonic(), self.world.life
        foo = self.chance.randrange(2)
        got = await link.ask(
            b"GET %s HTTP/1.1\r\nHost: %s\r\nFoo: %d\r\n\r\n"
            % (page.path.encode(), page.host.encode(), foo)
        )
        if not got:
            return
        code, fields, body = got
        told = (
            f"{page.path} Foo {foo} at {began:.4f}: {code} {fields.get('x-version')}, "
            f"at least {floor}, {fields.get('cache-status')}"
        )
        self.told.append(told)
        if code in (502, 503, 504) and life != self.world.life:
            return  # it ended meanwhile
        version = int(fields.get("x-version", 0))
        whole = len(body) == page.size and int(body[:9]) == version
        if code != 200 or version < floor or not whole:
            self.fault(f"{told}, {len(body)} bytes of {body[:9]}")
        self.world.reads += 1
        status = fields.get("cache-status", "")
        self.world.hits += "; hit" in status
        # With Vary, each variant is validated for itself.
        is_kept = "hit" in status or "stored" in status
        if (page.hoped and version >= page.hoped and began > page.hoped_at and is_kept
                and life == self.world.life and "Vary: Foo" not in page.fields):  # fmt: skip
            page.floor, page.hoped = max(page.floor, page.hoped), 0

    # ---- purging ----

    async def purge_some(self):
        link = Link(self.world.larder.admin_port)
        for _ in range(PURGES):
            await asyncio.sleep(self.chance.random() * DELAY_S)
            await self.purge(link)
        link.close()

    def an_order(self):
        """An order, and the pages that it is for."""
        page = self.chance.choice(self.pages)
        url = f"http://{page.host}{page.path}"
        kind = self.chance.choice("url url tag tag tag prefix host all expr regex two".split())
        tag = page.tags[0] if page.tags else f"a-{self.seed}"
        tagged = [one for one in self.pages if tag in one.tags]
        if kind == "url":
            return {"files": [url]}, [page]
        if kind == "tag":
            return {"tags": [tag.upper()]}, tagged
        if kind == "prefix":
            prefix = "/" + page.path.split("/")[1]
            below = [one for one in self.pages if (one.path + "/").startswith(prefix + "/")]
            return {"prefixes": [page.host + prefix]}, below
        if kind == "host":
            return {"hosts": [page.host]}, self.pages
        if kind == "all" and self.chance.random() < 0.3:
            return {"everything": True}, self.pages
        if kind == "expr" and self.chance.random() < 0.1:
            return {"expression": f"{tag} AND NOT none-{self.seed}"}, tagged
        if kind == "regex" and self.chance.random() < 0.1:
            return {"regex": f"^http://{page.host}{page.path}$"}, [page]
        return {"files": [url], "tags": [tag, "other"]}, [page, *tagged]

    async def purge(self, link):
        what, covered = self.an_order()
        for page in covered:
            page.version += 1
        if "everything" in what:
            covered = list(self.world.shop.pages.values())
        versions = [(page, page.version) for page in covered]
        body = json.dumps(what | {"mode": self.world.mode}).encode()
        sent = time.monotonic()
        got = await link.ask(
            b"POST /v1/purge HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )
        self.told.append(
            f"{json.dumps(what)} at {sent:.4f} to {time.monotonic():.4f}: {got and got[0]} "
            f"{[(page.path, version) for page, version in versions if page.host == self.host]}"
        )
        if not got or got[0] != 200:
            if got and got[0] != 503:
                self.fault(f"{got}")
            return
        self.world.acked += 1
        for page, version in versions:
            if self.world.mode == "hard":
                page.floor = max(page.floor, version)
            elif version >= page.hoped and version > page.floor:
                page.hoped, page.hoped_at = version, time.monotonic()


# ---- restarts ----


async def end_and_start(world):
    larder = world.larder
    world.life += 1
    if world.mode == "soft":
        # A new answer that was not written yet is lost, and the one before it may be served again.
        for page in world.shop.pages.values():
            page.floor = 0
    larder.signal(world.chance.choice((signal.SIGKILL, signal.SIGTERM)))
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, larder.wait)
    larder.child.stdout.close()
    await loop.run_in_executor(None, larder.start)
    if world.mode == "soft":
        for page in world.shop.pages.values():
            page.floor = 0
    world.life += 1


async def restarts(world):
    while not world.is_over:
        await asyncio.sleep(world.chance.uniform(*RESTART_S))
        await end_and_start(world)


# ---- the whole ----


async def histories(world):
    first, number, end = SEED, 0, time.monotonic() + SECONDS
    running = set()

    def goes_on():
        return number < COUNT if COUNT else time.monotonic() < end

    while (goes_on() or running) and not world.faults:
        while goes_on() and len(running) < ABREAST:
            one = History(world, first + number)
            task = asyncio.create_task(one.run())
            task.history = one
            running.add(task)
            number += 1
        done, running = await asyncio.wait(running, timeout=0.2, return_when="FIRST_COMPLETED")
        for task in done:
            task.result()
    return number


async def play(mode, hot):
    shop = Shop(SEED)
    url = await shop.start()
    store = {"hot-size": hot, "size": "1g"}
    with with_store(url, workers=2, config={"limits": {"requests": 0}}, **store) as larder:
        world = World(larder, shop, mode, SEED)
        unrest = asyncio.create_task(restarts(world))
        number = await histories(world)
        world.is_over = True
        await unrest
    print(
        f"    seed {SEED}: {number} histories, {world.reads} reads, {world.hits} of the cache, "
        f"{world.acked} purges, {world.life // 2} restarts"
    )
    check(not world.faults, "\n    ".join(world.faults[:1]))
    check(world.hits > 0 and world.acked > 0, "nothing happened")


def test_hard():
    asyncio.run(play("hard", "1m"))


def test_soft():
    """With RAM for all: a new answer that RAM has no room for before it is written may be missed,
    and the old one be served once more."""
    asyncio.run(play("soft", "64m"))


scene.run()
