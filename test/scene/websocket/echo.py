#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real WebSocket client and server with Larder between them (RFC 6455)."""

import asyncio
import os

import scene
import websockets
from larder import Larder
from scene import check, equal, eventually
from tunnels import Echo, check_nothing_is_left, run, talk

MIB = 1 << 20


def test_messages():
    async def go():
        async with talk(larder, "/chat?room=1", compression=None) as socket:
            for message in ("hello", "", "ü" * 1000, b"\0\xff" * 9, b"x" * 70000):
                await socket.send(message)
                equal(await socket.recv(), message)

    with Echo() as origin, Larder(origin) as larder:
        run(go)
        check_nothing_is_left(larder)
        equal(origin.ended, [1000])
        equal(larder.metric("http_tunnels_total"), 1)
        for direction in ("in", "out"):
            check(larder.metric("http_tunnel_bytes_total", direction=direction) > 70000, direction)
        reason = {"result": "pass", "reason": "tunnel"}
        equal(larder.metric("cache_results_total", **reason), 1)


def test_large_messages_both_ways_at_once():
    async def go():
        async with talk(larder, compression=None) as socket:
            sent = [os.urandom(MIB) for _ in range(16)]

            async def send():
                for message in sent:
                    await socket.send(message)

            sending = asyncio.create_task(send())
            for message in sent:
                check(await socket.recv() == message, "another message came back")
            await sending

    with Echo() as origin, Larder(origin) as larder:
        run(go)
        check_nothing_is_left(larder)


def test_what_the_ends_agree_on():
    """Extensions and subprotocols are theirs (RFC 6455 4.1)."""

    async def go():
        async with talk(larder, subprotocols=["b", "a"]) as socket:
            equal(socket.subprotocol, "a")
            equal([e.name for e in socket.extensions], ["permessage-deflate"])
            await socket.send("a" * 100000)
            equal(await socket.recv(), "a" * 100000)

    with Echo(subprotocols=["a"]) as origin, Larder(origin) as larder:
        run(go)
        check(larder.metric("http_tunnel_bytes_total", direction="in") < 10000, "not compressed")


def test_ping():
    async def both():
        async with talk(larder) as socket:
            await (await socket.ping())
            peer = next(iter(origin.open))

            async def ping():
                await (await peer.ping())

            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ping(), origin.loop))

    with Echo() as origin, Larder(origin) as larder:
        run(both)


def test_close_handshake():
    """Either side begins it; code and reason reach the other."""

    async def end(socket):
        if await socket.recv() == "end":
            await socket.close(4001, "enough")

    async def theirs():
        async with talk(larder) as socket:
            await socket.send("end")
            await socket.wait_closed()
            equal((socket.close_code, socket.close_reason), (4001, "enough"))

    async def ours():
        async with talk(larder) as socket:
            await socket.close(4002, "bye")
            equal(socket.close_code, 4002)

    with Echo(end) as origin, Larder(origin) as larder:
        run(theirs)
        run(ours)
        eventually(lambda: sorted(origin.ended) == [4001, 4002], f"saw {origin.ended}")
        check_nothing_is_left(larder)


def test_many():
    """200 tunnels at once; nothing of them stays, and the next 200 need no more."""

    async def go():
        async with connected(200) as sockets:
            equal(larder.metric("http_tunnels", state="open"), 200)
            await asyncio.gather(*(one(i, socket) for i, socket in enumerate(sockets)))

    async def one(i, socket):
        for turn in range(5):
            message = f"{i} {turn} " + "x" * (i * 50)
            await socket.send(message)
            equal(await socket.recv(), message)

    class connected:
        def __init__(self, count):
            self.count = count

        async def __aenter__(self):
            url = f"ws://127.0.0.1:{larder.port}/"
            waits = (websockets.connect(url, ping_interval=None) for _ in range(self.count))
            self.sockets = await asyncio.gather(*waits)
            return self.sockets

        async def __aexit__(self, *_):
            await asyncio.gather(*(socket.close() for socket in self.sockets))

    def files():
        return len(os.listdir(f"/proc/{larder.child.pid}/fd"))

    with Echo() as origin, Larder(origin, workers=2) as larder:
        run(go)
        check_nothing_is_left(larder)
        before, open_files = larder.memory(), files()
        for _ in range(3):
            run(go)
            check_nothing_is_left(larder)
        eventually(lambda: files() <= open_files, "files stay open")
        larder.check_growth(before, 4 * MIB, "VmRSS")
        equal(larder.metric("http_tunnels_total"), 800)
        # Its ends close a moment after ours.
        eventually(lambda: len(origin.ended) == 800, f"{len(origin.ended)} instead of 800")


scene.run()
