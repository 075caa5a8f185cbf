#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A purge that waits for the deploy: until every address of the origin shows the new version, in a
field or in a JSON body. In time it is done; too late, nothing is, and the answer says who holds it up.
A client that leaves meanwhile takes its order with it."""

import http.client
import json
import socket
import struct
import threading
import time

import scene
from caching import is_hit, lasting
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal, eventually


class Shop:
    """One machine of an origin: its version can be changed while it runs."""

    def __init__(self, version):
        self.version = version
        self.asked = 0

    def __call__(self, request, _):
        if request.target == "/version":
            self.asked += 1
            body = json.dumps({"build": {"id": self.version}}).encode()
            return answer(body, f"X-Version: {self.version}", "Content-Type: application/json")
        return lasting("max-age=600", b"v%d" % self.version, "Surrogate-Key: all")


def order(larder, what, seconds=20, headers=None):
    """The answer's status, and its JSON."""
    link = http.client.HTTPConnection("127.0.0.1", larder.admin_port, timeout=seconds)
    link.request("POST", "/v1/purge", json.dumps(what), headers or {})
    got = link.getresponse()
    said = json.loads(got.read())
    link.close()
    return got.status, said


def gate(**more):
    base = {"url": "http://a/version", "header": "X-Version", "equals": "2", "timeout": "10s"}
    return {"tags": ["all"], "mode": "hard", "wait_origin": base | more}


def test_all_addresses():
    for name, how in (
        ("field", {}),
        ("json", {"json": "$.build.id"}),
    ):
        with case(name):
            old, new = Shop(1), Shop(2)
            with Origin(old) as one, Origin(new) as two, Larder(one, two) as larder:
                what = gate(**how)
                if "json" in how:
                    del what["wait_origin"]["header"]
                larder.get("/")
                done = []
                thread = threading.Thread(target=lambda: done.append(order(larder, what)))
                thread.start()
                eventually(lambda: old.asked > 0 and new.asked > 0, "not every address was asked")
                check(is_hit(larder.get("/")), "it is purged before all have the version")
                equal(done, [])
                old.version = 2
                thread.join(10)
                equal(done[0][0], 200)
                equal(done[0][1]["seq"], 1)
                equal(larder.get("/").body, b"v2")


def test_too_late():
    old, new = Shop(1), Shop(2)
    with Origin(old) as one, Origin(new) as two, Larder(one, two) as larder:
        larder.get("/")
        status, said = order(larder, gate(timeout="500ms"))
        equal(status, 504)
        check(f"127.0.0.1:{one.port}" in said["errors"][0], said)
        check(said["errors"][0].endswith("1"), said)
        check(is_hit(larder.get("/")), "nothing was to be purged")
        link = http.client.HTTPConnection("127.0.0.1", larder.admin_port, timeout=5)
        link.request("GET", "/v1/purges")
        equal(json.loads(link.getresponse().read())["purges"], [])
        link.close()
        # The same key may be tried again.
        key = {"Idempotency-Key": "k"}
        equal(order(larder, gate(timeout="200ms"), headers=key)[0], 504)
        old.version = 2
        equal(order(larder, gate(), headers=key)[0], 200)


def test_bad():
    with Origin(Shop(2)) as origin, Larder(origin) as larder:
        for name, how in (("no URL", {"url": "/version"}), ("no equals", {"equals": ""})):
            with case(name):
                status, said = order(larder, gate(**how))
                equal(status, 422)
                check(said["field"].startswith("wait_origin"), said)
        what = gate(json="version")
        del what["wait_origin"]["header"]
        equal(order(larder, what)[0], 422)


def test_the_client_leaves():
    old = Shop(1)
    with Origin(old) as origin, Larder(origin) as larder:
        larder.get("/")
        link = http.client.HTTPConnection("127.0.0.1", larder.admin_port, timeout=5)
        link.request("POST", "/v1/purge", json.dumps(gate()))
        eventually(lambda: old.asked > 0, "it was not asked")
        # A reset: who only says that he sends no more may still listen.
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.close()
        time.sleep(0.3)
        old.version = 2
        asked = old.asked
        time.sleep(1.5)
        check(old.asked <= asked + 1, "nobody waits for it any more")
        check(is_hit(larder.get("/")), "nobody wants it any more")


scene.run()
