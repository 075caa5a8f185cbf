#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""https: requests over TLS are served as those over TCP are, to those who speak it well."""

import socket
import ssl
import time

import scene
from origin import Origin, answer
from scene import case, check, equal
from secure import Authority, SecureLarder
from wire import Wire, head

FRESH = "Cache-Control: max-age=60"
BODY = bytes(range(256)) * 4096  # 1 MiB: many records


def test_miss_and_hit():
    with Authority() as ca, Origin(answer(BODY, FRESH)) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            miss = larder.fetch(ca)
            equal((miss.status, miss.get("X-Cache"), miss.body == BODY), (200, "MISS", True))
            hit = larder.fetch(ca)
            equal((hit.status, hit.get("X-Cache"), hit.body == BODY), (200, "HIT", True))
            equal(origin.requests[0].get("X-Forwarded-Proto"), "https")
            equal(larder.get("/", "Connection: close").get("X-Cache"), "MISS", "http is another URI")


def test_a_connection_serves_many():
    """Keep-alive and pipelining; the request's body comes in many records."""
    echo = lambda request, _: answer(request.body, "Cache-Control: no-store")
    with Authority() as ca, Origin(echo) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            with larder.secure(ca) as wire:
                for size in (0, 1, 70000, 1 << 20):
                    body = BODY[:size]
                    post = head("POST / HTTP/1.1", "Host: shop.example", f"Content-Length: {size}")
                    wire.send(post, body)
                    equal(wire.read_answer().body == body, True, f"{size} bytes")
                get = head("GET / HTTP/1.1", "Host: shop.example")
                wire.send(get * 20)
                for _ in range(20):
                    equal(wire.read_answer().status, 200)
            equal(larder.metric("tls_handshakes_total", version="1.3"), 1)


def test_names_choose_certificates():
    with Authority() as ca, Origin() as origin:
        pairs = [ca.pair(name) for name in ("first.example", "shop.example", "*.shop.example")]
        with SecureLarder(origin, pairs=pairs) as larder:
            for name, shown in (
                ("first.example", "first.example"),
                ("shop.example", "shop.example"),
                ("a.shop.example", "*.shop.example"),
                ("b.a.shop.example", "first.example"),
                ("other.example", "first.example"),
                (None, "first.example"),
            ):
                with case(str(name)):
                    context = ca.context()
                    context.check_hostname = False
                    with larder.secure(ca, name, context) as wire:
                        names = [value for _, value in wire.sock.getpeercert()["subjectAltName"]]
                        equal(names, [shown])


def test_unknown_names_can_be_refused():
    with Authority() as ca, Origin() as origin:
        tls = {"unknown-name": "refuse"}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], tls=tls) as larder:
            equal(larder.fetch(ca).status, 200)
            for name in ("other.example", None):
                with case(str(name)):
                    try:
                        larder.secure(ca, name).close()
                        raise AssertionError("it was let in")
                    except ssl.SSLError as refused:
                        check("unrecognized name" in str(refused).replace("_", " ").lower(), str(refused))
            larder.wait_for_metric(2, "tls_failures_total", why="unknown-name")


def test_keys_of_two_kinds():
    """The client's offer decides, for the same name."""
    with Authority() as ca, Origin() as origin:
        pairs = [ca.pair("shop.example", kind=kind) for kind in ("ec", "rsa")]
        with SecureLarder(origin, pairs=pairs) as larder:
            for algorithms, kind in (
                ("ECDSA+SHA256:RSA-PSS+SHA256", "ECDSA"),
                ("ECDSA+SHA256", "ECDSA"),
                ("RSA-PSS+SHA256", "RSA-PSS"),
            ):
                for version in ("-tls1_2", "-tls1_3"):
                    with case(f"{algorithms} {version}"):
                        said = larder.openssl_client(version, "-sigalgs", algorithms)
                        check(f"Peer signature type: {kind}" in said, said)


def test_protocols():
    with Authority() as ca, Origin() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            for offer, chosen in (
                (["h2", "http/1.1"], "h2"),
                (["http/1.1", "h2"], "h2"),
                (["http/1.1"], "http/1.1"),
                ([], None),
            ):
                with case(str(offer)), larder.secure(ca, alpn=offer) as wire:
                    equal(wire.sock.selected_alpn_protocol(), chosen)
            try:
                larder.secure(ca, alpn=["smtp"]).close()
                raise AssertionError("smtp is spoken")
            except ssl.SSLError as refused:
                check("no application protocol" in str(refused).replace("_", " ").lower(), str(refused))


def test_versions():
    with Authority() as ca, Origin() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            weak = ["-cipher", "DEFAULT@SECLEVEL=0"]
            for version, fine in (
                ("-tls1", False),
                ("-tls1_1", False),
                ("-tls1_2", True),
                ("-tls1_3", True),
            ):
                with case(version):
                    said = larder.openssl_client(version, *weak)
                    equal("Peer signature type" in said, fine, said)
            larder.wait_for_metric(1, "tls_handshakes_total", version="1.2")
            larder.wait_for_metric(2, "tls_failures_total", why="protocol")


def test_http_to_the_tls_port():
    """It is told nothing that it could take for an answer, and counted for what it is."""
    with Authority() as ca, Origin() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            with Wire(socket.create_connection(("127.0.0.1", larder.tls_port))) as wire:
                wire.send(head("GET / HTTP/1.1", "Host: shop.example"))
                check(b"200" not in wire.read_rest(), "it was served")
            larder.wait_for_metric(1, "tls_failures_total", why="plain-http")


def test_slow_handshakes_end():
    """Whether nothing comes, or a part, or a byte now and then."""
    with Authority() as ca, Origin() as origin:
        tls = {"handshake-timeout": "500ms"}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], tls=tls) as larder:
            hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
            wires = [Wire(socket.create_connection(("127.0.0.1", larder.tls_port))) for _ in "abc"]
            begin = time.monotonic()
            wires[1].send(hello)
            for byte in hello:
                wires[2].send(bytes([byte]))
                time.sleep(0.02)
            for wire in wires:
                check(wire.is_closed(8), "it is open")
                wire.close()
            took = time.monotonic() - begin
            check(0.4 < took < 5, f"it took {took:.1f} s")
            larder.wait_for_metric(3, "tls_failures_total", why="timeout")
            larder.wait_for_metric(0, "http_connections", state="open")


def test_the_limit_of_connections():
    """Who is one too many over TLS is closed without a word; the others go on."""
    with Authority() as ca, Origin() as origin:
        config = {"limits": {"connections": 2}}
        pairs = [ca.pair("shop.example")]
        with SecureLarder(origin, pairs=pairs, config=config) as larder:
            with larder.secure(ca) as one, larder.secure(ca):
                with Wire(socket.create_connection(("127.0.0.1", larder.tls_port))) as third:
                    check(third.is_closed(), "it was not closed at once")
                one.send(head("GET / HTTP/1.1", "Host: shop.example"))
                equal(one.read_answer().status, 200)
            larder.wait_for_metric(1, "http_connections_refused_total")


def test_who_leaves_in_the_middle():
    with Authority() as ca, Origin() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            for end in (Wire.close, Wire.reset, Wire.finish):
                with case(end.__name__):
                    wire = Wire(socket.create_connection(("127.0.0.1", larder.tls_port)))
                    wire.send(b"\x16\x03\x01\x02\x00\x01")
                    end(wire)
                    larder.wait_for_metric(0, "http_connections", state="open")
                    wire.close()
            larder.wait_for_metric(3, "tls_failures_total", why="client-gone")
            equal(larder.fetch(ca).status, 200)


scene.run()
