# SPDX-License-Identifier: Apache-2.0
"""What scenes of purges share: orders over admin, and what became of what is stored."""

import http.client
import json
from contextlib import closing

from caching import asked, numbered, restart, status, wait_until_written, with_store
from scene import check, equal


def admin(larder, method, target, body=None, headers=None):
    """The answer's status, and its JSON."""
    with closing(http.client.HTTPConnection("127.0.0.1", larder.admin_port, timeout=20)) as link:
        link.request(method, target, body, headers or {})
        got = link.getresponse()
        return got.status, json.loads(got.read())


def order(larder, what, headers=None):
    """An order as JSON, or as the bytes it is."""
    body = what if isinstance(what, bytes) else json.dumps(what)
    return admin(larder, "POST", "/v1/purge", body, headers)


def purged(larder, **what):
    """An order that is done; its receipt."""
    code, receipt = order(larder, what)
    equal(code, 200, f"{what}: {receipt}")
    return receipt


def log_of(larder):
    """All that was purged, as the log has it."""
    return admin(larder, "GET", "/v1/purges?limit=10000")[1]["purges"]


def get(larder, url, *fields):
    """host/path with or without http:// before it."""
    host, slash, path = url.removeprefix("http://").partition("/")
    return larder.ask(f"GET {slash}{path} HTTP/1.1", f"Host: {host}", *fields)


def asked_at(origin, url):
    """The GETs for host/path that the origin got."""
    host, slash, path = url.partition("/")
    return [one for one in asked(origin, slash + path, "GET") if one.get("Host") == host]


def check_gone(origin, larder, url, old, *fields):
    """Nothing of it is used any more: it is fetched as if it had never been there."""
    before = len(asked_at(origin, url))
    got = get(larder, url, *fields)
    check(got.body != old, f"{url} is served, {status(got)}")
    equal(status(got).get("hit"), None, f"{url} is a hit")
    requests = asked_at(origin, url)[before:]
    equal(len(requests), 1, f"requests for {url} at the origin")
    for name in ("If-None-Match", "If-Modified-Since"):
        equal(requests[0].get(name), None, f"{name} of what is gone")
    return got


def check_hit(larder, url, old, *fields):
    got = get(larder, url, *fields)
    check(status(got).get("hit") is True, f"{url} is no hit: {status(got)}")
    check(int(status(got)["ttl"]) > 0, f"{url} is stale: {status(got)}")
    equal(got.body, old, url)


# ---- pages with numbers ----

# One order each, for page {n} alone.
ONE_PAGE = (
    {"files": ["http://a/{n}"]},
    {"tags": ["t{n}"]},
    {"prefixes": ["a/{n}"]},
    {"regex": "^http://a/{n}$"},
    {"files": ["http://a/{n}"], "tags": ["x", "y"], "regex": "^nothing"},
    {"expression": "t{n} AND all"},
    {"hosts": ["b{n}"], "tags": ["t{n}"]},
)


def for_page(what, number):
    return {
        key: value.replace("{n}", str(number))
        if isinstance(value, str)
        else [item.replace("{n}", str(number)) for item in value]
        for key, value in what.items()
    }


class NumberedShop:
    """A page's body is the number of times that it was asked for; its tags are t and its name, and
    all."""

    def __init__(self):
        self.count = numbered("max-age=9000")

    def __call__(self, request, wire):
        said = self.count(request, wire)
        tags = f"Surrogate-Key: all t{request.target[1:]}\r\n".encode()
        return said.replace(b"\r\n", b"\r\n" + tags, 1)


def stored(origin, count, **more):
    """A Larder that has so many pages on disk, and nothing in RAM."""
    larder = with_store(origin, **more)
    larder.start()
    for number in range(count):
        equal(get(larder, f"a/{number}").body, b"1")
    wait_until_written(larder, count)
    restart(larder)
    return larder
