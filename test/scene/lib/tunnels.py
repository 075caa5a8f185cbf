# SPDX-License-Identifier: Apache-2.0
"""WebSocket in scenes: a real server of Debian's python3-websockets behind Larder, and handshakes
and frames as bytes for what a real one would never say.

    with Echo() as origin, Larder(origin) as larder:
        with switched(larder) as wire: ...            bytes
        run(lambda: talk(larder))                     websockets
"""

import asyncio
import base64
import hashlib
import threading
from contextlib import asynccontextmanager

import websockets

from origin import CLOSE
from scene import check, equal
from wire import head

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PROOF = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of that key (RFC 6455 1.3)
ASKS = ["Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
HANDSHAKE = head("GET /chat HTTP/1.1", *ASKS, f"Sec-WebSocket-Key: {KEY}")


def proof_of(key):
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()


# ---- bytes ----


def agreed(request, *fields):
    """The 101 for a request."""
    proof = proof_of(request.get("Sec-WebSocket-Key"))
    lines = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {proof}"]
    return head("HTTP/1.1 101 Switching Protocols", *lines, *fields)


def switched(larder, *behind, **options):
    """A wire on which the switch was made."""
    wire = larder.connect(**options)
    wire.send(HANDSHAKE, *behind)
    equal(wire.read_head().status, 101)
    return wire


def tunnelled(serve):
    """A reply that switches, then serves the wire, then closes it."""

    def reply(request, wire):
        wire.send(agreed(request))
        serve(wire)
        return CLOSE

    return reply


def echo(wire):
    while some := wire.read_some():
        wire.send(some)


# ---- a real server ----


class Echo:
    """Sends back what it gets; `serve` says something else."""

    def __init__(self, serve=None, **options):
        self.loop = asyncio.new_event_loop()
        self.serve = serve or self.echo
        self.ended = []  # close codes that it saw
        self.open = set()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.main, args=(ready, options), daemon=True)
        self.thread.start()
        check(ready.wait(10), "the server does not start")
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def stop(self):
        self.server.close()
        await self.server.wait_closed()

    def main(self, ready, options):
        asyncio.set_event_loop(self.loop)
        options = {"max_size": None, "ping_interval": None} | options
        start = websockets.serve(self.handle, "127.0.0.1", 0, **options)
        self.server = self.loop.run_until_complete(start)
        ready.set()
        self.loop.run_forever()

    async def handle(self, socket):
        self.open.add(socket)
        try:
            await self.serve(socket)
        except websockets.ConnectionClosed:
            pass
        finally:
            await socket.wait_closed()
            self.open.discard(socket)
            self.ended.append(socket.close_code)

    @staticmethod
    async def echo(socket):
        async for message in socket:
            await socket.send(message)


@asynccontextmanager
async def talk(larder, path="/", **options):
    options = {"max_size": None, "ping_interval": None} | options
    url = f"ws://127.0.0.1:{larder.port}{path}"
    async with websockets.connect(url, **options) as socket:
        yield socket


def run(scene):
    """Runs an async scene."""
    asyncio.run(asyncio.wait_for(scene(), 40))


# ---- what is left ----


def check_nothing_is_left(larder):
    """No tunnel, client, exchange or fetch of an ended tunnel stays."""
    larder.wait_for_metric(0, "http_tunnels", state="open")
    larder.wait_for_metric(0, "http_connections", state="open")
    larder.wait_for_metric(0, "http_requests_under_way")
    larder.wait_for_metric(0, "cache_fetches_under_way")
    larder.wait_for_metric(0, "origin_connections", state="busy")
