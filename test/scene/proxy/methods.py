#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Methods: CONNECT and TRACE are not served, Upgrade is not understood, the rest pass."""

import scene
from larder import Larder
from origin import Origin
from scene import case, check, equal
from wire import head

REFUSED = {
    "CONNECT": head("CONNECT example.com:443 HTTP/1.1", "Host: example.com:443"),
    "CONNECT to us": head("CONNECT a HTTP/1.1", "Host: a"),
    "CONNECT /": head("CONNECT / HTTP/1.1", "Host: a"),
    "TRACE": head("TRACE / HTTP/1.1", "Host: a", "Max-Forwards: 0"),
}

UPGRADES = {
    "websocket": ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x"],
    "h2c": ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"],
    "without Connection": ["Upgrade: websocket"],
}


def test_refused():
    """RFC 9110 15.5.6: the answer names the methods that are served."""
    with Origin() as origin, Larder(origin) as larder:
        for name, request in REFUSED.items():
            with case(name), larder.connect() as client:
                client.send(request, head("GET /smuggled HTTP/1.1", "Host: a"))
                got = client.read_answer()
                equal(got.status, 405)
                check("GET" in got.get("Allow") and "TRACE" not in got.get("Allow"), "Allow")
                equal(client.read_rest(), b"", "after the answer")
        equal(origin.heard, b"")


def test_upgrade_is_not_understood():
    """RFC 9110 7.8: a server that does not switch answers as usual."""
    with Origin() as origin, Larder(origin) as larder:
        for name, fields in UPGRADES.items():
            with case(name), larder.connect() as client:
                for _ in range(2):
                    client.send(head(f"GET /{name.split()[0]} HTTP/1.1", "Host: a", *fields))
                    got = client.read_answer()
                    equal((got.status, got.get("Upgrade")), (200, None))
                asked = origin.requests[-1]
                for field in ("Upgrade", "Connection", "HTTP2-Settings"):
                    equal(asked.get(field), None, field)


def test_upgrade_with_a_body():
    with Origin() as origin, Larder(origin) as larder, larder.connect() as client:
        fields = ["Host: a", "Upgrade: websocket", "Connection: Upgrade", "Content-Length: 5"]
        client.send(head("POST /1 HTTP/1.1", *fields), b"hello")
        client.send(head("GET /2 HTTP/1.1", "Host: a"))
        equal([client.read_answer().status for _ in "12"], [200, 200])
        equal([(r.method, r.body) for r in origin.requests], [("POST", b"hello"), ("GET", b"")])


def test_any_token_is_a_method():
    """RFC 9110 9.1: the list of methods is open, and their names are case-sensitive."""
    names = [
        *("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY", "PROPFIND", "MKCOL", "LOCK"),
        *("M-SEARCH", "PURGE", "SOURCE", "PRI", "SETUP", "get", "Get", "X", "!#$%&'*+-.^_`|~09"),
        "A" * 200,
    ]
    with Origin() as origin, Larder(origin) as larder, larder.connect() as client:
        for name in names:
            with case(name[:20]):
                client.send(head(f"{name} /x HTTP/1.1", "Host: a", "Content-Length: 3"), b"abc")
                equal(client.read_answer().status, 200)
                equal((origin.requests[-1].method, origin.requests[-1].body), (name, b"abc"))


def test_options():
    with Origin() as origin, Larder(origin) as larder:
        for target in ("*", "/", "/x?y"):
            with case(target):
                equal(larder.ask(f"OPTIONS {target} HTTP/1.1", "Host: a").status, 200)
                equal(origin.requests[-1].target, target)


scene.run()
