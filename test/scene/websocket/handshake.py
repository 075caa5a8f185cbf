#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which requests switch, which answers do, and what becomes of the bytes around the handshake."""

import json
import subprocess

import scene
from caching import Gate, Pages, access_lines
from larder import PROGRAM, Larder
from origin import Origin, answer
from scene import case, check, equal
from tunnels import (
    ASKS,
    HANDSHAKE,
    KEY,
    PROOF,
    agreed,
    check_nothing_is_left,
    echo,
    switched,
    tunnelled,
)
from wire import head

GET = head("GET /next HTTP/1.1", "Host: a")
CHATTY = tunnelled(echo)


def test_what_each_side_sees():
    """RFC 6455 4.1, 4.2.2; RFC 9110 7.8: the switch is made at each hop anew."""

    def reply(request, wire):
        extra = ["Sec-WebSocket-Protocol: chat", "Set-Cookie: a=b", "Connection: X-Hop", "X-Hop: 1"]
        wire.send(agreed(request, "Cache-Control: max-age=60", "Keep-Alive: 5", *extra))
        echo(wire)

    asked = ["Sec-WebSocket-Protocol: chat, talk", "Origin: http://a", "Cookie: c=d", "TE: trailers"]
    with Origin(reply) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(head("GET /chat?x HTTP/1.1", *ASKS, f"Sec-WebSocket-Key: {KEY}", *asked))
        got = client.read_head()
        equal(got.line, "HTTP/1.1 101 Switching Protocols")
        equal((got.get("Connection"), got.get("Upgrade")), ("Upgrade", "websocket"))
        equal(got.get("Sec-WebSocket-Accept"), PROOF)
        equal((got.get("Sec-WebSocket-Protocol"), got.get("Set-Cookie")), ("chat", "a=b"))
        for name in ("Age", "Cache-Status", "X-Cache", "Keep-Alive", "X-Hop", "Content-Length"):
            equal(got.get(name), None, name)
        client.send(b"hello")
        equal(client.read_exactly(5), b"hello")
        request = origin.request
        equal((request.target, request.get("Upgrade")), ("/chat?x", "websocket"))
        equal((request.get("Connection"), request.get("TE")), ("Upgrade", None))
        equal((request.get("Sec-WebSocket-Key"), request.get("Sec-WebSocket-Version")), (KEY, "13"))
        equal(request.get("Sec-WebSocket-Protocol"), "chat, talk")
        equal((request.get("Cookie"), request.get("Origin")), ("c=d", "http://a"))
        check("larder" in request.get("Via"), "no Via")


def test_how_it_is_asked_for():
    """Both fields are lists in any case, over any number of lines (RFC 6455 4.2.1)."""
    key = f"Sec-WebSocket-Key: {KEY}"
    forms = {
        "case": ["upgrade: WebSocket", "connection: UPGRADE", key],
        "lists": ["Upgrade: foo, websocket", "Connection: keep-alive, Upgrade", key],
        "lines": ["Upgrade: h2c", "Upgrade: websocket", "Connection: x", "Connection: upgrade", key],
        "empty body": ["Upgrade: websocket", "Connection: upgrade", "Content-Length: 0", key],
    }
    with Origin(CHATTY) as origin, Larder(origin) as larder:
        for name, fields in forms.items():
            with case(name), larder.connect() as client:
                client.send(head("GET / HTTP/1.1", "Host: a", *fields))
                equal(client.read_head().status, 101)
                client.send(b"hello")
                equal(client.read_exactly(5), b"hello")


def test_what_asks_for_nothing():
    """The fields that would ask for a switch end here: the origin sees an ordinary request, and
    what follows it is the next one."""
    key = f"Sec-WebSocket-Key: {KEY}"
    both = ["Upgrade: websocket", "Connection: Upgrade"]
    forms = {
        "no Connection": ("GET / HTTP/1.1", ["Upgrade: websocket", key], b""),
        "no Upgrade": ("GET / HTTP/1.1", ["Connection: upgrade", key], b""),
        "another protocol": ("GET / HTTP/1.1", ["Upgrade: websocketx", "Connection: upgrade", key], b""),
        "no key": ("GET / HTTP/1.1", both, b""),
        "two keys": ("GET / HTTP/1.1", [*both, key, key], b""),
        "a bad key": ("GET / HTTP/1.1", [*both, "Sec-WebSocket-Key: x"], b""),
        "a short key": ("GET / HTTP/1.1", [*both, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="], b""),
        "POST": ("POST / HTTP/1.1", [*both, key], b""),
        "a body": ("GET / HTTP/1.1", [*both, key, "Content-Length: 5"], b"hello"),
        "chunks": ("GET / HTTP/1.1", [*both, key, "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
        "HTTP/1.0": ("GET / HTTP/1.0", [*both[:1], "Connection: upgrade, keep-alive", key], b""),
    }
    with Origin() as origin, Larder(origin) as larder:
        for name, (line, fields, body) in forms.items():
            with case(name), larder.connect() as client:
                origin.forget()
                client.send(head(line, "Host: a", *fields), body, GET)
                equal(client.read_answer().status, 200)
                equal(client.read_answer().status, 200, "what follows")
                equal([r.target for r in origin.requests], ["/", "/next"])
                equal(origin.requests[0].get("Upgrade"), None)
                equal(origin.requests[0].get("Connection"), None)
                equal(origin.requests[0].body, b"hello" if name == "a body" else b"")


def test_refused():
    """An answer that does not switch is an answer, and the connection goes on on both sides."""
    pages = {
        "/403": answer(b"no", status="403 Forbidden"),
        "/200": answer(b"a page"),
        "/426": answer(b"", "Upgrade: websocket", "Sec-WebSocket-Version: 13", status="426 Old"),
        "/204": head("HTTP/1.1 204 No Content"),
        "/chunks": head("HTTP/1.1 400 Bad", "Transfer-Encoding: chunked") + b"2\r\nno\r\n0\r\n\r\n",
        "/next": answer(b"next", "Cache-Control: no-store"),
    }
    with Origin(Pages(pages)) as origin, Larder(origin) as larder, larder.connect() as client:
        for path, said in pages.items():
            with case(path):
                client.send(HANDSHAKE.replace(b"/chat", path.encode()))
                got = client.read_answer()
                equal(f"HTTP/1.1 {got.status}".encode(), said[:12])
                equal((got.get("Upgrade"), got.get("Connection")), (None, None))
                client.send(GET)
                equal(client.read_answer().body, b"next")
        equal(larder.metric("origin_connections", state="busy"), 0)
        check(larder.metric("origin_connections", state="idle") >= 1, "no connection was kept")
        equal(larder.metric("http_tunnels_total"), 0)


def test_no_such_switch():
    """A 101 that nobody asked for, of another protocol, or without proof that the origin read the
    key, is a failure of the origin (RFC 6455 4.1): nothing behind it is believed."""
    switch = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"]
    proof = f"Sec-WebSocket-Accept: {PROOF}"
    smuggled = answer(b"smuggled")
    said = {
        "no proof": head(*switch),
        "a wrong proof": head(*switch, f"Sec-WebSocket-Accept: {'A' * 27}="),
        "another protocol": head(*switch[:2], "Upgrade: h2c", proof),
        "no Upgrade": head(*switch[:2], proof),
        "no Connection": head(switch[0], switch[2], proof),
    }
    for name, reply in said.items():
        with case(name), Origin(reply + smuggled) as origin, Larder(origin) as larder:
            with larder.connect() as client:
                client.send(HANDSHAKE)
                got = client.read_answer()
                equal(got.status, 502)
                check("origin-malformed" in got.get("Cache-Status"), got.get("Cache-Status"))
                equal(larder.metric("origin_connections", state="idle"), 0)
    with Origin(head(*switch, proof) + smuggled) as origin, Larder(origin) as larder:
        equal(larder.get().status, 502, "unasked")


def test_bytes_around_the_handshake():
    """What comes in one packet with the head belongs to the tunnel, on both sides."""

    def reply(request, wire):
        wire.send(agreed(request) + b"welcome")
        echo(wire)

    with Origin(reply) as origin, Larder(origin) as larder:
        with switched(larder, b"GET /early HTTP/1.1\r\n\r\n" + b"x" * 100000) as client:
            equal(client.read_exactly(7), b"welcome")
            equal(client.read_exactly(23), b"GET /early HTTP/1.1\r\n\r\n")
            equal(client.read_exactly(100000), b"x" * 100000)
        equal([r.target for r in origin.requests], ["/chat"])
        check_nothing_is_left(larder)


def test_bytes_behind_a_handshake_that_fails():
    """They were meant for a tunnel, or not: as a request they are not read."""
    gate = Gate(answer(b"no", "Cache-Control: no-store", status="403 Forbidden"))
    with Origin(gate) as origin, Larder(origin) as larder:
        for name in ("with the head", "later"):
            with case(name), larder.connect() as client:
                origin.forget()
                gate.door.clear()
                before = larder.metric("http_received_bytes_total")
                client.send(HANDSHAKE, *([GET] if name == "with the head" else []))
                origin.wait_for(1)
                if name == "later":
                    client.send(GET)
                sent = len(HANDSHAKE + GET)
                larder.wait_for_metric(before + sent, "http_received_bytes_total")
                gate.open()
                got = client.read_answer()
                equal((got.status, got.get("Connection")), (403, "close"))
                equal(client.read_rest(), b"")
                equal([r.target for r in origin.requests], ["/chat"])


def test_early_bytes_are_bounded():
    """A client that does not wait for the 101 is not read without end."""
    gate = Gate(CHATTY)
    with Origin(gate) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(HANDSHAKE)
        origin.wait_for(1)
        before = larder.memory()
        client.sock.setblocking(False)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += client.sock.send(b"x" * 65536)
        except BlockingIOError:
            pass
        client.sock.settimeout(20)
        check(sent < 32 << 20, f"{sent} bytes were taken")
        larder.check_growth(before, 2 << 20, "VmRSS")
        gate.open()
        equal(client.read_head().status, 101)
        equal(client.read_exactly(sent), b"x" * sent)


def knows_option():
    said = subprocess.run([PROGRAM, "dump", "--defaults"], capture_output=True, text=True)
    return "websocket:" in said.stdout


def test_route_without():
    """Where the route does not take it, the request is one like any other; stored answers too."""
    route = {"path": "/", "origin": "default"}
    if knows_option():
        route["websocket"] = False
    page = answer(b"page", "Cache-Control: max-age=60")
    with Origin(page) as origin, Larder(origin, config={"routes": [route]}) as larder:
        with larder.connect() as client:
            for _ in range(3):
                client.send(HANDSHAKE)
                got = client.read_answer()
                equal((got.status, got.body, got.get("Connection")), (200, b"page", None))
        equal(origin.request.get("Upgrade"), None)
        with larder.connect() as client:
            client.send(HANDSHAKE, GET)
            got = client.read_answer()
            equal((got.body, got.get("Connection")), (b"page", "close"))
            equal(client.read_rest(), b"")


def test_nothing_is_stored():
    """Nor does a stored page answer a handshake, whatever the 101 says of itself."""

    def reply(request, wire):
        if not request.get("Upgrade"):
            return answer(b"page", "Cache-Control: max-age=60")
        wire.send(agreed(request, "Cache-Control: public, max-age=60"))
        return echo(wire)

    with Origin(reply) as origin, Larder(origin) as larder:
        equal(larder.get("/chat").body, b"page")
        for _ in range(2):
            with switched(larder, b"a") as client:
                equal(client.read_exactly(1), b"a")
        equal(larder.get("/chat").body, b"page")
        equal([r.get("Upgrade") for r in origin.requests], [None, "websocket", "websocket"])


def test_log():
    with Origin(CHATTY) as origin:
        larder = Larder(origin)
        log = larder.path / "access"
        larder.configure({"log": {"access": str(log)}})
        with larder:
            with switched(larder, b"12345") as client:
                equal(client.read_exactly(5), b"12345")
            line = access_lines(log, 1)[0]
        equal((line["status"], line["cache_status"], line["cache_reason"]), (101, "pass", "tunnel"))
        equal((line["failure"], line["path"]), (None, "/chat"))
        equal(line["bytes_in"], len(HANDSHAKE) + 5)
        check(line["bytes"] > 100 and line["dur_ms"] > 0, json.dumps(line))


def test_a_handshake_has_its_own_connection():
    """A kept connection may die with the request on it; a handshake is not sent twice."""
    with Origin(Pages({None: answer(b"x", "Cache-Control: no-store"), "/chat": CHATTY})) as origin:
        with Larder(origin) as larder:
            larder.get("/a")
            equal(len(origin.wires), 1)
            with switched(larder, b"a") as client:
                equal(client.read_exactly(1), b"a")
                equal(len(origin.wires), 2)
                larder.get("/b")
            check_nothing_is_left(larder)
            larder.get("/c")
            equal(len(origin.wires), 2, "connections")


scene.run()
