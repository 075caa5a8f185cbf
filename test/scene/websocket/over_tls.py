#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""WebSocket over TLS on both sides (wss, RFC 6455 11.1.2): the same tunnel, sealed."""

import os
import ssl

import scene
import websockets
from scene import check, equal
from secure import Authority, SecureLarder
from tunnels import Echo, check_nothing_is_left, run

MIB = 1 << 20


def serving(ca):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.pair("localhost"))
    return context


def origins(ca, port):
    """The echo server, by TLS, for Larder."""
    tls = {"ca": str(ca.file)}
    return [{"name": "default", "addresses": [f"https://localhost:{port}"], "tls": tls}]


def talk(ca, larder):
    url = f"wss://127.0.0.1:{larder.tls_port}/chat"
    options = {"max_size": None, "ping_interval": None, "compression": None}
    return websockets.connect(url, ssl=ca.context(), server_hostname="shop.example", **options)


def test_both_sides():
    async def go():
        async with talk(ca, larder) as socket:
            for message in ("hello", b"", os.urandom(3 * MIB), b"x" * 16384, "end"):
                await socket.send(message)
                check(await socket.recv() == message, "another message came back")

    with Authority() as ca, Echo(ssl=serving(ca)) as origin:
        config = {"origins": origins(ca, origin.port)}
        with SecureLarder(origin, pairs=[ca.pair("shop.example", "127.0.0.1")], config=config) as larder:
            run(go)
            check_nothing_is_left(larder)
            equal(origin.ended, [1000])
            equal(larder.metric("http_tunnels_total"), 1)
            equal(larder.metric("tls_handshakes_total", version="1.3"), 1)
            equal(larder.metric("tls_origin_handshakes_total"), 1)


def test_many():
    """Each has buffers of its own beneath: none hears another."""

    async def go():
        sockets = [await talk(ca, larder) for _ in range(50)]
        for i, socket in enumerate(sockets):
            await socket.send(f"{i} " * 1000)
        for i, socket in enumerate(sockets):
            equal(await socket.recv(), f"{i} " * 1000)
        for socket in sockets:
            await socket.close()

    with Authority() as ca, Echo() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example", "127.0.0.1")]) as larder:
            run(go)
            check_nothing_is_left(larder)


scene.run()
