#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What each scope takes and what it spares, soft and hard: of what is in RAM, of what is on disk
alone, and after a restart or a crash. Soft is stale at once, hard is gone: then no condition is
made of it and no outage brings it back."""

import threading

import scene
from caching import (
    crash,
    crowd,
    is_hit,
    lasting,
    numbered,
    restart,
    says,
    status,
    wait_until_written,
    with_store,
)
from larder import Larder
from origin import CLOSE, Origin, answer
from purging import asked_at, check_gone, check_hit, get, purged
from scene import case, check, equal, eventually
from secure import Authority, SecureLarder
from wire import head

# name: the order, what it takes, what it spares. {h} is a host of the row's own.
ROWS = {
    "url": (
        {"files": ["http://{h}/p/1", "http://{h}/q/%7ea/../b?y=2&utm=3&x=1"]},
        ["{h}/p/1", "{h}/q/b?x=1&y=2"],
        ["{h}/p/1/", "{h}/p", "{h}/p/1?x", "other.{h}/p/1", "{h}/q/b?x=1"],
    ),
    "https url": ({"files": ["https://{h}/p/1"]}, ["{h}/p/1"], ["{h}/p/2"]),
    "tag": (
        {"tags": ["ONE-{h}"]},
        ["{h}/tag/one", "{h}/tag/three,one", "{h}/tag/two+one"],
        ["{h}/tag/two", "{h}/tag/onetwo", "{h}/p/one-{h}"],
    ),
    "many tags": (
        {"tags": ["none"] + [f"x{number}" for number in range(500)] + ["two-{h}"]},
        ["{h}/tag/two"],
        ["{h}/tag/one"],
    ),
    "prefix": (
        {"prefixes": ["{h}/img"]},
        ["{h}/img", "{h}/img/", "{h}/img/a/b?c", "{h}:8080/img/x", "{h}/img?x"],
        ["{h}/images", "{h}/imgs", "{h}/img.png/x", "{h}/", "{h}/a/img", "{h}/IMG/a"]
        + ["other.{h}/img/a"],
    ),
    "prefix of a port": (
        {"prefixes": ["{h}:8080/img/"]},
        ["{h}:8080/img/1", "{h}:8080/img"],
        ["{h}/img/1", "{h}:8081/img/1"],
    ),
    "prefix with escapes": (
        {"prefixes": ["{h}/%7eu/./a%c3%a4/"]},
        ["{h}/~u/a%C3%A4/b"],
        ["{h}/~u/a"],
    ),
    "prefix of all hosts": (
        {"prefixes": ["/only-{h}"]},
        ["{h}/only-{h}/1", "other.{h}/only-{h}", "{h}:8080/only-{h}/2"],
        ["{h}/only", "{h}/x/only-{h}"],
    ),
    "host": (
        {"hosts": ["{H}"]},
        ["{h}/", "{h}/a/b", "{h}:8080/a"],
        ["other.{h}/", "x{h}/"],
    ),
    "own ports": (
        {"hosts": ["{h}:80"], "prefixes": ["other.{h}:443/a"]},
        ["{h}/a", "other.{h}/a/b"],
        ["other.{h}/b"],
    ),
    "host with port": ({"hosts": ["{h}:8080"]}, ["{h}:8080/a"], ["{h}/a", "{h}:8081/a"]),
    "expression": (
        {"expression": "one-{h} AND NOT (two-{h} OR three-{h})"},
        ["{h}/tag/one", "{h}/tag/one,four"],
        ["{h}/tag/one,two", "{h}/tag/two", "{h}/tag/three,one", "{h}/p"],
    ),
    "regex": (
        {"regex": "^https?://{h}/p/[0-9]+$"},
        ["{h}/p/1", "{h}/p/22"],
        ["{h}/p/a", "{h}/p/1/", "{h}/x/p/1", "other.{h}/p/1"],
    ),
    "several": (
        {"files": ["http://{h}/1"], "tags": ["one-{h}"], "prefixes": ["{h}/img"]},
        ["{h}/1", "{h}/tag/one", "{h}/img/1"],
        ["{h}/2", "{h}/tag/two"],
    ),
    "pattern and scopes": (
        {"files": ["http://{h}/1"], "expression": "one-{h}"},
        ["{h}/1", "{h}/tag/one"],
        ["{h}/2", "{h}/tag/two"],
    ),
}
VARIANTS = ("x", "y")
QUERY = {"cache": {"query-sort": True, "query-drop": ["utm*"]}}


class Shop:
    """Bodies are numbered for each URL and variant. /tag/... has these tags, "," and "+" between;
    what stands behind "+" is in a second field."""

    def __init__(self, control="max-age=900"):
        self.control, self.count, self.lock = control, {}, threading.Lock()
        self.is_down = False

    def __call__(self, request, _):
        if self.is_down:
            return CLOSE
        host, path = request.get("Host"), request.target
        name = host.split(":")[0]
        fields = ["Vary: Foo", f'ETag: "{host}{path}"']
        if "/tag/" in path:
            both = path.split("/tag/")[1].split("+")
            for kind, tags in zip(("Surrogate-Key", "Cache-Tag"), both):
                text = (" " if kind == "Surrogate-Key" else ", ").join(
                    f"{tag}-{name}" for tag in tags.split(",")
                )
                fields.append(f"{kind}: {text}")
        key = host, path, request.get("Foo")
        with self.lock:
            self.count[key] = self.count.get(key, 0) + 1
        body = "{} {} {} {}".format(*key, self.count[key]).encode()
        if request.get("If-None-Match") == f'"{host}{path}"':
            return answer(b"", *fields, f"Cache-Control: {self.control}", status="304 Not Modified")
        return lasting(self.control, body, *fields)


def rows():
    """Each row with a host of its own."""
    for number, (name, (what, takes, spares)) in enumerate(ROWS.items()):
        host = f"h{number}.example"

        def own(text):
            return text.replace("{h}", host).replace("{H}", host.upper())

        what = {
            key: own(value) if isinstance(value, str) else [own(item) for item in value]
            for key, value in what.items()
        }
        yield name, what, [own(url) for url in takes], [own(url) for url in spares]


def body_of(url, foo, count):
    host, slash, path = url.partition("/")
    return f"{host} {slash}{path} {foo} {count}".encode()


def fill(larder):
    urls = [url for _, _, takes, spares in rows() for url in takes + spares]
    for url in urls:
        for foo in VARIANTS:
            equal(get(larder, url, f"Foo: {foo}").body, body_of(url, foo, 1))
    # A marker for each, too.
    return len(urls) * (len(VARIANTS) + 1)


# What happens before the purge, and after it.
def nothing(larder):
    pass


def bring_to_ram(larder):
    """What was just written is lost with a crash; what a stop has written is not."""
    restart(larder)
    for _, _, takes, spares in rows():
        for url in takes + spares:
            check_hit(larder, url, body_of(url, "x", 1), "Foo: x")


PLACES = {
    "in RAM": (nothing, nothing),
    "on disk": (restart, nothing),
    "in RAM, restarted": (nothing, restart),
    "in both, killed": (bring_to_ram, crash),
    "on disk, killed": (restart, crash),
}


def check_row(origin, larder, mode, takes, spares):
    for url in spares:
        for foo in VARIANTS:
            check_hit(larder, url, body_of(url, foo, 1), f"Foo: {foo}")
    for url in takes:
        for foo in VARIANTS:
            if mode == "hard":
                check_gone(origin, larder, url, body_of(url, foo, 1), f"Foo: {foo}")
            else:
                check_validated(origin, larder, url, foo)


def check_validated(origin, larder, url, foo):
    """Without a window it is asked for with a condition, and then as good as new."""
    before = len(asked_at(origin, url))
    got = get(larder, url, f"Foo: {foo}")
    says(got, hit=None, fwd="stale", fwd_status=304)
    equal(got.body, body_of(url, foo, 1))
    requests = asked_at(origin, url)[before:]
    equal([one.get("If-None-Match") for one in requests], [f'"{url}"'])
    check_hit(larder, url, body_of(url, foo, 1), f"Foo: {foo}")


def check_place(mode, before, after):
    with Origin(Shop()) as origin:
        larder = with_store(origin, config=QUERY)
        with larder:
            wait_until_written(larder, fill(larder))
            before(larder)
            for number, (_, what, _, _) in enumerate(rows()):
                equal(purged(larder, mode=mode, **what)["seq"], number + 1)
            after(larder)
            for name, _, takes, spares in rows():
                with case(name):
                    check_row(origin, larder, mode, takes, spares)


def test_hard():
    for place, (before, after) in PLACES.items():
        with case(place):
            check_place("hard", before, after)


def test_soft():
    for place, (before, after) in PLACES.items():
        with case(place):
            check_place("soft", before, after)


def test_everything():
    for mode in ("hard", "soft"):
        for place, (before, after) in PLACES.items():
            before = restart if before is bring_to_ram else before
            with case(f"{mode} {place}"), Origin(Shop()) as origin:
                urls = ["a/", "b:8080/tag/one", "c/x/y?z"]
                with with_store(origin) as larder:
                    for url in urls:
                        get(larder, url, "Foo: x")
                    wait_until_written(larder, 2 * len(urls))
                    before(larder)
                    purged(larder, everything=True, mode=mode)
                    after(larder)
                    check_row_of_one(origin, larder, mode, urls)


def check_row_of_one(origin, larder, mode, urls):
    for url in urls:
        if mode == "hard":
            check_gone(origin, larder, url, body_of(url, "x", 1), "Foo: x")
        else:
            check_validated(origin, larder, url, "x")


def test_modes():
    """Hard is for files alone the default, soft for all that may be more than one means."""
    with Origin(Shop()) as origin, Larder(origin) as larder:
        equal(purged(larder, files=["http://a/"])["mode"], "hard")
        for what in ({"tags": ["a"]}, {"prefixes": ["/a"]}, {"hosts": ["a"]}, {"regex": "a"},
                     {"everything": True}, {"expression": "a"}):  # fmt: skip
            equal(purged(larder, **what)["mode"], "soft", f"{what}")
        equal(purged(larder, files=["http://a/"], tags=["a"])["mode"], "soft")
        equal(purged(larder, files=["http://a/"], mode="soft")["mode"], "soft")


def test_schemes():
    """A URL is purged over http and https, whichever is named."""
    with Authority() as ca, Origin(Shop()) as origin:
        with SecureLarder(origin, pairs=[ca.pair("a")]) as larder:
            for named in ("http", "https"):
                get(larder, "a/1", "Foo: x")
                over_tls(larder, ca)
                check(is_hit(get(larder, "a/1", "Foo: x")), "stored")
                check(is_hit(over_tls(larder, ca)), "stored")
                purged(larder, files=[f"{named}://a/1"])
                check(not is_hit(get(larder, "a/1", "Foo: x")), f"{named} for http")
                check(not is_hit(over_tls(larder, ca)), f"{named} for https")


def over_tls(larder, ca):
    with larder.secure(ca, "a") as wire:
        wire.send(head("GET /1 HTTP/1.1", "Host: a", "Foo: x"))
        return wire.read_answer()


SCOPES = (
    {"files": ["http://a/tag/one"]},
    {"tags": ["one-a"]},
    {"prefixes": ["a/tag"]},
    {"hosts": ["a"]},
    {"everything": True},
    {"expression": "one-a"},
    {"regex": "/tag/"},
)
FROM_DISK = (SCOPES[1], SCOPES[4], SCOPES[6])
URL = "a/tag/one"


def test_soft_with_a_window():
    """stale-while-revalidate: served at once as stale, refreshed behind it, once."""
    for place in ("RAM", "disk"):
        for what in SCOPES if place == "RAM" else FROM_DISK:
            with case(f"{place} {list(what)}"), Origin(
                numbered("max-age=900, stale-while-revalidate=60", "Surrogate-Key: one-a")
            ) as origin, with_store(origin) as larder:  # fmt: skip
                equal(get(larder, URL).body, b"1")
                if place == "disk":
                    wait_until_written(larder, 1)
                    restart(larder)
                purged(larder, mode="soft", **what)
                got = get(larder, URL)
                equal(got.body, b"1")
                says(got, hit=True)
                check(int(status(got)["ttl"]) <= 0, "it is not stale")
                eventually(lambda: get(larder, URL).body == b"2", "it was not refreshed")
                check_hit(larder, URL, b"2")
                equal(len(asked_at(origin, URL)), 2)


def test_origin_down():
    """Soft may be served in an outage, hard never."""
    for place in ("RAM", "disk"):
        for mode in ("soft", "hard"):
            for what in SCOPES if place == "RAM" else FROM_DISK:
                with case(f"{place} {mode} {list(what)}"):
                    check_outage(place, mode, what)


def check_outage(place, mode, what):
    shop = Shop("max-age=900, stale-if-error=900")
    with Origin(shop) as origin, with_store(origin) as larder:
        old = get(larder, URL, "Foo: x").body
        if place == "disk":
            wait_until_written(larder, 2)
            restart(larder)
        purged(larder, mode=mode, **what)
        shop.is_down = True
        for fields in (["Foo: x"], ["Foo: x", "Cache-Control: max-stale"]):
            got = get(larder, URL, *fields)
            if mode == "soft":
                equal(got.body, old)
            else:
                check(got.status in (502, 504), f"{got.status} {got.body}")
        if mode == "hard":
            equal(get(larder, URL, "Foo: x", "Cache-Control: only-if-cached").status, 504)


def test_crowd_in_an_outage():
    """All who wait for a soft purged answer get it when the origin fails, and it is asked once."""
    with Origin(Shop("max-age=900, stale-if-error=900")) as origin, Larder(origin) as larder:
        old = get(larder, URL, "Foo: x").body
        purged(larder, mode="soft", tags=["one-a"])
        door, asked = threading.Event(), []

        def fail(request, _):
            asked.append(request)
            door.wait(10)
            return answer(b"", status="503 E")

        origin.reply = fail
        with crowd(larder, 8, "/tag/one", "Foo: x") as wires:
            larder.wait_for_metric(7, "cache_waits_total")
            door.set()
            for wire in wires:
                got = wire.read_answer()
                equal((got.status, got.body), (200, old))
        equal(len(asked), 1, "requests in the outage")


scene.run()
