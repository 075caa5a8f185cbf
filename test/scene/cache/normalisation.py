#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Which URIs are one key (RFC 9111 2, RFC 9110 4.2.3, RFC 3986 6.2.2): spellings that mean the same
are one object, and the origin sees the form that the key has, so that no two clients can be given
each other's answer (cache poisoning by a difference that only the origin sees)."""

import scene
from caching import is_hit, lasting, status
from larder import Larder
from origin import Origin
from scene import case, check, equal

# the normal form, as the origin sees it: other spellings of it
SAME = {
    "/": ["/", "/.", "/./", "/a/..", "/../..", "http://a/", "http://a", "http://A:80/"],
    "/a": ["/a", "/%61", "/./a", "/b/../a", "/b/%2e%2e/a", "/b/%2E./a", "/../a", "/%2E/a"],
    "/~x": ["/~x", "/%7Ex", "/%7ex"],
    "/%2Fa": ["/%2Fa", "/%2fa"],
    "/a%20b": ["/a%20b"],
    "/%C3%A4": ["/%C3%A4", "/%c3%a4"],
    "/a/": ["/a/", "/a/.", "/a/./", "/a/b/.."],
    "/a?b=c": ["/a?b=c", "/%61?b=c", "/a?%62=%63"],
    "/a?x=%26": ["/a?x=%26"],
    "/a?x=%2F": ["/a?x=%2F", "/a?x=%2f"],
}

# pairs that are not the same resource
DIFFERENT = [
    ("/a", "/A"),
    ("/a", "/a/"),
    ("/a/b", "/a%2Fb"),
    ("/a/b", "/a//b"),
    ("/a", "/a?"),
    ("/a?x", "/a?x="),
    ("/a?x=1&y=2", "/a?y=2&x=1"),
    ("/a?x=1", "/a?x=1&"),
    ("/a?x=%26y", "/a?x=&y"),
    ("/a?x=1%3D", "/a?x=1="),
    ("/a%3Fb", "/a?b"),
    ("/a%5Cb", "/a/b"),
    ("/a%252Fb", "/a%2Fb"),
    ("/a/..%2Fb", "/b"),
    ("/a;x", "/a"),
    ("/a+b", "/a%20b"),
    ("/%00", "/"),
]


def reflect(request, _):
    return lasting("max-age=60", f"{request.get('Host')} {request.target}".encode())


def get(larder, target, host="a"):
    return larder.ask(f"GET {target} HTTP/1.1", f"Host: {host}")


def test_paths():
    for normal, spellings in SAME.items():
        with case(normal), Origin(reflect) as origin, Larder(origin) as larder:
            for spelling in spellings:
                with case(f"{normal} as {spelling}"):
                    host = "A:80" if "A:80" in spelling else "a"
                    got = get(larder, spelling, host)
                    equal(got.body, f"a {normal}".encode(), "what the origin saw")
                    equal(status(got)["key"], f"http://a{normal}")
            equal(len(origin.requests), 1, "one object")


def test_what_is_not_the_same():
    for one, other in DIFFERENT:
        with case(f"{one} {other}"), Origin(reflect) as origin, Larder(origin) as larder:
            first, second = get(larder, one), get(larder, other)
            for target, got in ((one, first), (other, second)):
                if got.status == 200:
                    equal(got.body, f"a {target}".encode())
            check(not is_hit(second), "served for each other")


def test_hosts():
    """RFC 9110 4.2.3: case, an empty port and the scheme's own port do not matter."""
    with Origin(reflect) as origin, Larder(origin) as larder:
        for host in ("shop.example", "SHOP.Example", "shop.example:80", "shop.example:"):
            with case(host):
                got = get(larder, "/", host)
                equal(got.body, b"shop.example /")
        equal(len(origin.requests), 1)
        for host in ("shop.example:8080", "www.shop.example", "127.0.0.1", "[::1]"):
            with case(host):
                got = get(larder, "/", host)
                equal((got.body, is_hit(got)), (f"{host} /".encode(), False))


def test_the_target_names_the_host():
    """RFC 9112 3.2.2: an absolute target is what counts, and the origin gets it as Host."""
    with Origin(reflect) as origin, Larder(origin) as larder:
        got = get(larder, "http://shop.example/x", "shop.example")
        equal(got.body, b"shop.example /x")
        check(is_hit(get(larder, "/x", "shop.example")), "the same in origin form")


def test_what_is_not_in_the_key():
    """Fields that claim another host, path or scheme change neither the key nor what the origin
    believes of them."""
    claims = [
        "X-Forwarded-Host: evil",
        "X-Forwarded-Proto: https",
        "X-Original-URL: /evil",
        "Forwarded: host=evil",
    ]

    def reply(request, _):
        said = ",".join(f"{n}={request.get(n)}" for n in ("X-Forwarded-Host", "X-Forwarded-Proto"))
        return lasting("max-age=60", f"{request.target} {said}".encode())

    with Origin(reply) as origin, Larder(origin) as larder:
        got = larder.get("/x", *claims)
        check(b"evil" not in got.body and b"https" not in got.body, f"{got.body}")
        check("evil" not in (origin.request.get("Forwarded") or ""), "Forwarded")
        check(is_hit(larder.get("/x")), "another key")


# ---- queries, by route ----

ROUTES = {
    "/sort": {"query-sort": True},
    "/drop": {"query-drop": ["utm_*", "gclid"]},
    "/keep": {"query-keep": ["id", "page"]},
    "/all": {"query-sort": True, "query-drop": ["utm_*"], "query-keep": ["id", "page", "utm_id"]},
}

# target: what the origin sees
QUERIES = {
    # sorted by name; equal names keep their order, which may mean something
    "/sort?b=2&a=1": "/sort?a=1&b=2",
    "/sort?a=1&b=2": "/sort?a=1&b=2",
    "/sort?a=2&a=1": "/sort?a=2&a=1",
    "/sort?b=1&a=2&b=0": "/sort?a=2&b=1&b=0",
    "/sort?%62=2&a=1": "/sort?a=1&b=2",
    "/sort?a=1%26b=2": "/sort?a=1%26b=2",
    # dropped, also at both ends and where nothing is left
    "/drop?id=1&utm_source=x": "/drop?id=1",
    "/drop?utm_source=x&id=1&utm_medium=y&gclid=z": "/drop?id=1",
    "/drop?utm_=1&id=1": "/drop?id=1",
    "/drop?utm_source=x": "/drop",
    "/drop?%75tm_source=x&id=1": "/drop?id=1",
    "/drop?gclid2=1&UTM_source=1&xutm_a=1": "/drop?gclid2=1&UTM_source=1&xutm_a=1",
    "/drop?gclid": "/drop",
    "/drop?b=2&a=1": "/drop?b=2&a=1",
    # kept
    "/keep?page=2&id=1&x=3": "/keep?page=2&id=1",
    "/keep?x=3": "/keep",
    "/keep?ID=1": "/keep",
    # all together: what is both kept and dropped is dropped
    "/all?utm_id=1&page=2&x=3&id=1": "/all?id=1&page=2",
    # a route that says nothing leaves it alone
    "/other?b=2&utm_source=x&a=1": "/other?b=2&utm_source=x&a=1",
}


def by_route():
    routes = [{"path": path, "origin": "default", "cache": cache} for path, cache in ROUTES.items()]
    return {"routes": [*routes, {"path": "/", "origin": "default"}]}


def test_queries():
    with Origin(reflect) as origin, Larder(origin, config=by_route()) as larder:
        for target, normal in QUERIES.items():
            with case(target):
                got = larder.get(target)
                equal(got.body, f"a {normal}".encode(), "what the origin saw")
                equal(status(got)["key"], f"http://a{normal}")
                check(is_hit(larder.get(normal)), "its normal form is the same object")
        seen = sorted(r.target for r in origin.requests)
        equal(seen, sorted(set(QUERIES.values())), "each object was asked for once")


def test_writes_see_it_too():
    """An unsafe request is normalised alike, or it would not invalidate what it changes."""
    with Origin(reflect) as origin, Larder(origin, config=by_route()) as larder:
        larder.get("/sort?a=1&b=2")
        larder.ask("POST /sort?b=2&a=1 HTTP/1.1", "Host: a", "Content-Length: 0")
        equal(origin.requests[-1].target, "/sort?a=1&b=2")
        check(not is_hit(larder.get("/sort?a=1&b=2")), "still served")


def test_routes_see_the_normal_form():
    """A spelling that the origin takes for /account is routed as /account: else what no cache may keep
    is cached by another route's policy (web cache deception)."""
    routes = [
        {"path": "/account", "origin": "default", "cache": {"enabled": False}},
        {"path": "/", "origin": "default"},
    ]
    with Origin(lasting("max-age=60")) as origin, Larder(origin, config={"routes": routes}) as larder:
        for target in ("/account/me", "/%61ccount/me", "/x/../account/me", "/./account/m%65"):
            with case(target):
                got = larder.get(target)
                equal(status(got).get("fwd"), "bypass")
                equal(origin.requests[-1].target, "/account/me")


scene.run()
