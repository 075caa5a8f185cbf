# SPDX-License-Identifier: Apache-2.0
"""What scenes of purges share: orders over admin, and what became of what is stored."""

import http.client
import json
from contextlib import closing

from caching import asked, status
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
