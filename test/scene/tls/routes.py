#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What a route asks of the connection, and what its answers tell browsers."""

import scene
from origin import Origin, answer
from scene import case, check, equal
from secure import Authority, SecureLarder
from wire import head

FRESH = answer(b"ok", "Cache-Control: max-age=60")


def test_misdirected():
    """RFC 9110 15.5.20: a host that the certificate shown does not speak for is not served here."""
    with Authority() as ca, Origin() as origin:
        pairs = [ca.pair("shop.example", "*.shop.example"), ca.pair("other.example")]
        with SecureLarder(origin, pairs=pairs) as larder:
            table = [
                ("shop.example", "shop.example", 200),
                ("shop.example", "SHOP.example:8443", 200),
                ("shop.example", "shop.example.", 200),
                ("shop.example", "a.shop.example", 200),
                ("a.shop.example", "b.shop.example", 200),
                ("shop.example", "other.example", 421),
                ("shop.example", "b.a.shop.example", 421),
                ("shop.example", "127.0.0.1", 421),
                ("shop.example", "[::1]", 421),
                ("other.example", "shop.example", 421),
                ("other.example", "other.example", 200),
                # no certificate was asked for by name: nobody is led astray
                (None, "other.example", 200),
                (None, "whatever.example", 200),
                # the default one was shown for want of a better, and the client took it
                ("whatever.example", "whatever.example", 200),
                ("whatever.example", "shop.example", 200),
                ("whatever.example", "other.example", 421),
            ]
            for name, host, status in table:
                with case(f"{name} {host}"):
                    context = ca.context()
                    context.check_hostname = False
                    with larder.secure(ca, name, context) as wire:
                        for _ in range(2):  # it is the request's fault, not the connection's
                            wire.send(head("GET / HTTP/1.1", f"Host: {host}"))
                            equal(wire.read_answer().status, status)


def test_a_421_reaches_no_origin_and_no_cache():
    with Authority() as ca, Origin(FRESH) as origin:
        pairs = [ca.pair("shop.example"), ca.pair("other.example")]
        with SecureLarder(origin, pairs=pairs) as larder:
            larder.fetch(ca, name="other.example")
            got = larder.fetch(ca, host="other.example")
            equal((got.status, len(origin.requests)), (421, 1))
            check("misdirected" in got.get("Cache-Status"), got.head)


def test_redirect():
    with Authority() as ca, Origin(FRESH) as origin:
        config = {"security": {"https": "redirect", "https-port": 8443}}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], config=config) as larder:
            table = [
                ("/", "shop.example", "https://shop.example:8443/"),
                ("/a/../b?x=%2f&y", "shop.example:80", "https://shop.example:8443/a/../b?x=%2f&y"),
                ("/a?", "Shop.Example:8080", "https://shop.example:8443/a?"),
                ("//evil.example/", "shop.example", "https://shop.example:8443//evil.example/"),
                ("/", "[::1]:80", "https://[::1]:8443/"),
                ("http://shop.example/x", "shop.example", "https://shop.example:8443/x"),
            ]
            for target, host, location in table:
                with case(target + host):
                    got = larder.ask(f"GET {target} HTTP/1.1", f"Host: {host}")
                    equal((got.status, got.get("Location")), (308, location))
            for method in ("POST", "HEAD", "OPTIONS"):
                with case(method):
                    got = larder.ask(f"{method} /x HTTP/1.1", "Host: a", "Content-Length: 0")
                    equal((got.status, got.get("Location")), (308, "https://a:8443/x"))
            equal(larder.ask("GET / HTTP/1.0").status, 400, "no host to send it to")
            equal(len(origin.requests), 0)
            equal(larder.fetch(ca).status, 200)


def test_redirect_to_the_usual_port():
    with Authority() as ca, Origin() as origin:
        config = {"security": {"https": "redirect"}, "trusted-proxies": ["127.0.0.1"]}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], config=config) as larder:
            equal(larder.get("/x?y").get("Location"), "https://a/x?y")
            # who came by https to a proxy that we trust is there already
            equal(larder.get("/x", "X-Forwarded-Proto: https").status, 200)
            equal(larder.get("/x", "X-Forwarded-Proto: http").status, 308)


def test_require():
    with Authority() as ca, Origin(FRESH) as origin:
        routes = [
            {"path": "/", "origin": "default"},
            {"path": "/safe", "origin": "default", "security": {"https": "require"}},
        ]
        pairs = [ca.pair("shop.example")]
        with SecureLarder(origin, pairs=pairs, config={"routes": routes}) as larder:
            equal(larder.get("/safe").status, 403)
            equal(larder.get("/safe", "X-Forwarded-Proto: https").status, 403)
            equal(larder.get("/").status, 200)
            equal(larder.fetch(ca, "/safe").status, 200)


NAMES = ("X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options")
HSTS = "Strict-Transport-Security"


def test_fields_for_browsers():
    """On what the origin says, on what is stored, on our own errors; never over the origin's own."""

    def reply(request, _):
        if request.target == "/own":
            return answer(b"ok", "X-Frame-Options: DENY", f"{HSTS}: max-age=1", "Cache-Control: max-age=9")
        return FRESH

    security = {"headers": True, "hsts": "365d", "hsts-subdomains": True}
    with Authority() as ca, Origin(reply) as origin:
        config = {"security": security}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], config=config) as larder:
            for about, got in (
                ("miss", larder.fetch(ca, "/")),
                ("hit", larder.fetch(ca, "/")),
                ("HEAD", larder.fetch(ca, "/", method="HEAD")),
                ("304", larder.fetch(ca, "/", "If-Modified-Since: Tue, 29 Oct 2030 00:00:00 GMT")),
                ("range", larder.fetch(ca, "/", "Range: bytes=0-0")),
            ):
                with case(about):
                    equal(got.get(HSTS), "max-age=31536000; includeSubDomains")
                    for name in NAMES:
                        check(got.get(name), f"no {name}")
            for about in ("miss", "hit"):
                with case(f"the origin's own, {about}"):
                    got = larder.fetch(ca, "/own")
                    equal((got.get("X-Frame-Options"), got.get(HSTS)), ("DENY", "max-age=1"))
                    equal(got.get("X-Content-Type-Options"), "nosniff")
            with case("plain"):
                got = larder.get("/")
                equal((got.get(HSTS), got.get("X-Content-Type-Options")), (None, "nosniff"))
            origin.close()
            with case("an error"):
                got = larder.fetch(ca, "/gone")
                equal((got.status, got.get("X-Content-Type-Options")), (502, "nosniff"))
                equal(got.get(HSTS), "max-age=31536000; includeSubDomains")


def test_no_fields_unless_asked_for():
    with Authority() as ca, Origin(FRESH) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            for got in (larder.fetch(ca), larder.fetch(ca), larder.get()):
                equal([got.get(name) for name in (*NAMES, HSTS)], [None] * 4)


def test_proxy_status():
    """RFC 9209: who failed, by a word for programs; and nothing where nobody failed."""
    with Authority() as ca, Origin(FRESH) as origin:
        config = {"name": "edge-7"}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], config=config) as larder:
            equal(larder.get("/").get("Proxy-Status"), None)
            origin.close()
            got = larder.get("/gone")
            equal(got.status, 502)
            said = got.get("Proxy-Status")
            check(said.startswith('edge-7; error=connection_refused; details="'), said)


scene.run()
