#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What looks odd and is legal must work, and reach the origin as it was meant (RFC 9112 2.2)."""

import scene
from larder import Larder
from origin import Origin
from scene import case, equal
from wire import chunked, head

# Request line and Host, and the target and Host that the origin is asked for.
# RFC 9112 3.2.1, RFC 9112 3.2.2
TARGETS = {
    "whole URI": ("GET http://a/x?y HTTP/1.1", "a", "/x?y", "a"),
    "default port in it": ("GET http://a:80/x HTTP/1.1", "a", "/x", "a"),
    "default port in Host": ("GET http://a/x HTTP/1.1", "a:80", "/x", "a"),
    "its own port": ("GET http://a:81/x HTTP/1.1", "a:81", "/x", "a:81"),
    "upper case": ("GET HTTP://A.Example/X HTTP/1.1", "a.example", "/X", "a.example"),
    "no path": ("GET http://a HTTP/1.1", "a", "/", "a"),
    "a query, no path": ("GET http://a?x HTTP/1.1", "a", "/?x", "a"),
    "Host in upper case": ("GET /x HTTP/1.1", "Shop.EXAMPLE", "/x", "shop.example"),
    "Host with a port": ("GET /x HTTP/1.1", "a:8080", "/x", "a:8080"),
    "IPv4": ("GET /x HTTP/1.1", "192.0.2.1:81", "/x", "192.0.2.1:81"),
    "IPv6": ("GET /x HTTP/1.1", "[2001:db8::1]:81", "/x", "[2001:db8::1]:81"),
    "white space around Host": ("GET /x HTTP/1.1", " \t a \t ", "/x", "a"),
    "slashes": ("GET //a//b/ HTTP/1.1", "a", "//a//b/", "a"),
    "a colon": ("GET /http://b/ HTTP/1.1", "a", "/http://b/", "a"),
    "escapes": ("GET /%C3%A4%2F%00?%23 HTTP/1.1", "a", "/%C3%A4%2F%00?%23", "a"),
    "marks": ("GET /-._~!$&'()*+,;=:@?/?[]|%22 HTTP/1.1", "a", "/-._~!$&'()*+,;=:@?/?[]|%22", "a"),
    "an empty query": ("GET /x? HTTP/1.1", "a", "/x?", "a"),
    "long": (f"GET /{'x' * 7000} HTTP/1.1", "a", f"/{'x' * 7000}", "a"),
}

PRINTABLE = bytes(range(33, 127)).decode()

# RFC 9110 5.6.3
FIELDS = {
    "obs-text": ("X: caf\xe9 \x80\xff", "X", "caf\xe9 \x80\xff"),
    "white space around": ("X: \t a \t ", "X", "a"),
    "no white space": ("X:a", "X", "a"),
    "tab inside": ("X: a\tb", "X", "a\tb"),
    "empty": ("X:", "X", ""),
    "colons": ("X: a: b:: c", "X", "a: b:: c"),
    "any token": ("!#$%&'*+-.^_`|~09aZ: x", "!#$%&'*+-.^_`|~09aZ", "x"),
    "one letter": ("a: x", "a", "x"),
    "a number": ("0: x", "0", "x"),
    "long name": (f"X-{'n' * 3000}: x", f"X-{'n' * 3000}", "x"),
    "long value": (f"X: {'v' * 15000}", "X", "v" * 15000),
    "every printable": (f"X: {PRINTABLE}", "X", PRINTABLE),
}

BODIES = {
    "leading zeros": (["Content-Length: 0005"], b"hello", b"hello"),
    "space behind a length": (["Content-Length: 5  "], b"hello", b"hello"),
    "length 0": (["Content-Length: 0"], b"", b""),
    "chunked in capitals": (["Transfer-Encoding: CHUNKED"], chunked(b"hello"), b"hello"),
    "space behind chunked": (["Transfer-Encoding: chunked "], chunked(b"hello"), b"hello"),
    "field names in capitals": (["CONTENT-LENGTH: 5"], b"hello", b"hello"),
}


def test_targets():
    with Origin() as origin, Larder(origin) as larder:
        for name, (line, host, target, origin_host) in TARGETS.items():
            with case(name):
                equal(larder.ask(line, f"Host: {host}", "Cache-Control: no-cache").status, 200)
                asked = origin.requests[-1]
                equal((asked.target, asked.get("Host")), (target, origin_host))


def test_fields():
    with Origin() as origin, Larder(origin) as larder:
        for name, (line, key, value) in FIELDS.items():
            with case(name):
                equal(larder.get("/", "Cache-Control: no-cache", line).status, 200)
                equal(origin.requests[-1].get(key), value)


def test_bodies():
    with Origin() as origin, Larder(origin) as larder:
        for method in ("POST", "GET", "DELETE"):
            for name, (fields, sent, body) in BODIES.items():
                with case(f"{method}, {name}"), larder.connect() as client:
                    for _ in range(2):
                        client.send(head(f"{method} / HTTP/1.1", "Host: a", *fields), sent)
                        equal(client.read_answer().status, 200)
                        equal(origin.requests[-1].body, body)


def test_empty_lines_before():
    with Origin() as origin, Larder(origin) as larder:
        for count in (1, 2):
            with case(f"{count} empty lines"), larder.connect() as client:
                for _ in range(2):
                    client.send(b"\r\n" * count, head("GET / HTTP/1.1", "Host: a"))
                    equal(client.read_answer().status, 200)


def test_as_many_fields_as_allowed():
    with Origin() as origin, Larder(origin) as larder:
        equal(larder.get("/", *(f"X-{i}: {i}" for i in range(99))).status, 200)
        equal([origin.request.get(f"X-{i}") for i in (0, 98)], ["0", "98"])


def test_lines_of_one_name_keep_their_order():
    with Origin() as origin, Larder(origin) as larder:
        larder.get("/", "X: 1", "Y: 2", "x: 3", "X: 4, 5")
        equal(origin.request.all("X"), ["1", "3", "4, 5"])


scene.run()
