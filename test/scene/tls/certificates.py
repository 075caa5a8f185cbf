#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Certificates are renewed while Larder serves: by the file's change, by larderctl, by a reload of
the configuration. Connections stay, and what cannot be read stays as it was."""

import json
import os
import shutil
import signal
import subprocess

import scene
from larder import PROGRAM
from origin import Origin
from scene import case, check, equal, eventually
from secure import Authority, SecureLarder
from wire import head

GET = head("GET / HTTP/1.1", "Host: shop.example")


def shown(larder, ca, name="shop.example"):
    """The serial number of the certificate that a new client sees."""
    with larder.secure(ca, name) as wire:
        return wire.sock.getpeercert()["serialNumber"]


def replace(pair, other):
    """Puts another pair in place, as renewers do: each file at once, one after the other."""
    for old, new in zip(pair, other):
        shutil.copy(new, f"{old}.new")
        os.rename(f"{old}.new", old)


def test_a_changed_file_is_noticed():
    with Authority() as ca, Origin() as origin:
        pair = ca.pair("shop.example")
        with SecureLarder(origin, pairs=[pair], workers=2) as larder:
            before = shown(larder, ca)
            with larder.secure(ca) as wire:
                wire.send(GET)
                equal(wire.read_answer().status, 200)
                replace(pair, ca.pair("shop.example", to="renewed"))
                eventually(lambda: shown(larder, ca) != before, "the old one is shown")
                wire.send(GET)
                equal(wire.read_answer().status, 200, "a connection from before")
            equal(larder.metric("config_reloads_total", result="ok"), 0)


def test_a_bad_pair_keeps_the_old_one():
    """By the file's change, and by larderctl, which says so and exits 3."""
    with Authority() as ca, Origin() as origin:
        pair, other = ca.pair("shop.example"), ca.pair("other.example")
        with SecureLarder(origin, pairs=[pair, other]) as larder:
            before = shown(larder, ca), shown(larder, ca, "other.example")
            strange = ca.pair("shop.example", to="strange")
            replace([pair[1]], [strange[1]])  # a key that does not fit
            larder.wait_for_word("what was in force stays.*" + os.path.basename(pair[0]))
            equal(shown(larder, ca), before[0])
            code, said = larder.ctl("cert", "reload")
            equal(code, 3, said)
            check(pair[0] in said or pair[1] in said, said)
            replace(other, ca.pair("other.example", to="renewed"))
            code, said = larder.ctl("cert", "reload")
            equal((code, shown(larder, ca)), (3, before[0]))
            check(shown(larder, ca, "other.example") != before[1], "the good pair is not taken")
            replace([pair[0]], [strange[0]])
            equal(larder.ctl("cert", "reload")[0], 0)
            check(shown(larder, ca) != before[0], "the mended pair is not taken")


def test_larderctl_lists():
    with Authority() as ca, Origin() as origin:
        pairs = [
            ca.pair("shop.example", "*.shop.example", days=20),
            ca.pair("shop.example", kind="rsa", days=400),
            ca.pair("ed.example", kind="ed25519", days=5),
        ]
        with SecureLarder(origin, pairs=pairs) as larder:
            code, said = larder.ctl("cert", "list")
            equal(code, 0, said)
            for word in ("shop.example *.shop.example", "ECDSA", "RSA", "Ed25519", pairs[0][0]):
                check(word in said, f"{word} is not in {said}")
            code, said = larder.ctl("-o", "json", "cert", "list")
            certs = json.loads(said)["certificates"]
            equal([c["key"] for c in certs], ["ECDSA", "RSA", "Ed25519"])
            equal([c["days_left"] for c in certs], [19, 399, 4])
            equal(certs[0]["names"], ["shop.example", "*.shop.example"])
            equal(certs[0]["path"], pairs[0][0])
            equal(certs[0]["listener"], f"https://127.0.0.1:{larder.tls_port}")
            equal(len(certs[0]["fingerprint"]), 64)
            # each is warned of once
            larder.wait_for_word(r"warn tls: certificate .* of shop.example expires in 19 days")
            larder.wait_for_word(r"warn tls: certificate .* of ed.example expires in 4 days")
            equal(larder.said().count("expires in"), 2)
            larder.ctl("cert", "reload")
            equal(larder.said().count("expires in"), 2)
            text = larder.admin("/metrics").body.decode()
            name = "larder_tls_certificate_expiry_timestamp_seconds"
            equal(text.count(f"\n{name}{{"), 3)
            equal(text.count(f"# TYPE {name} gauge"), 1)


def test_an_expired_one():
    with Authority() as ca, Origin() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example", days=-1)]) as larder:
            larder.wait_for_word("error tls: certificate .* has expired")


def start(larder):
    command = [PROGRAM, "run", "--config", str(larder.config_file)]
    done = subprocess.run(command, capture_output=True, timeout=20)
    return done.returncode, done.stderr.decode()


def check_file(larder):
    command = [PROGRAM, "check", str(larder.config_file)]
    done = subprocess.run(command, capture_output=True, timeout=20)
    return done.returncode, done.stderr.decode()


def test_a_start_without_is_refused():
    with Authority() as ca, Origin() as origin:
        good, other = ca.pair("shop.example"), ca.pair("other.example")
        table = {
            "no file": ("/nonexistent.pem", good[1]),
            "no key": (good[0], "/nonexistent.key"),
            "a key of another": (good[0], other[1]),
            "a key for a certificate": (good[1], good[1]),
        }
        for name, pair in table.items():
            with case(name):
                larder = SecureLarder(origin, pairs=[pair])
                for code, said in (start(larder), check_file(larder)):
                    equal(code, 3, said)
                    check(any(path in said for path in pair), said)
                larder.folder.cleanup()


def test_a_reload_takes_all_or_nothing():
    with Authority() as ca, Origin() as origin:
        pair = ca.pair("shop.example")
        with SecureLarder(origin, pairs=[pair], workers=2) as larder:
            before = shown(larder, ca)
            larder.pairs = [("/nonexistent.pem", pair[1])]
            larder.configure({"limits": {"line-size": 256}})
            larder.signal(signal.SIGHUP)
            larder.wait_for_metric(1, "config_reloads_total", result="refused")
            equal((shown(larder, ca), larder.get(f"/{'x' * 500}").status), (before, 200))
            # The same files, which are good no more, are no better to a reload than others.
            replace([pair[1]], [ca.pair("other.example")[1]])
            larder.pairs = [pair]
            larder.configure({"limits": {"line-size": 256}})
            larder.signal(signal.SIGHUP)
            larder.wait_for_metric(2, "config_reloads_total", result="refused")
            equal((shown(larder, ca), larder.get(f"/{'x' * 500}").status), (before, 200))
            larder.pairs = [ca.pair("shop.example", "new.example")]
            larder.configure({})
            with larder.secure(ca) as wire:
                larder.signal(signal.SIGHUP)
                larder.wait_for_metric(1, "config_reloads_total", result="ok")
                eventually(lambda: shown(larder, ca) != before, "the old one is shown")
                wire.send(GET)
                equal(wire.read_answer().status, 200, "a connection from before")


def test_listeners_keep_their_place():
    """What listens is fixed at the start: a list in another order is not another listener."""
    with Authority() as ca, Origin() as origin:
        cert, key = ca.pair("shop.example")
        own = {"tls": {"certificates": [{"cert": cert, "key": key}]}}
        pairs = [ca.pair("other.example")]
        with SecureLarder(origin, pairs=pairs, listen=own) as larder:
            listen = larder.base["listen"]
            larder.configure({"listen": listen[::-1]})
            larder.signal(signal.SIGHUP)
            larder.wait_for_metric(1, "config_reloads_total", result="ok")
            larder.configure({"listen": listen[:1]})
            larder.signal(signal.SIGHUP)
            larder.wait_for_metric(2, "config_reloads_total", result="ok")
            equal((larder.fetch(ca).status, larder.get().status), (200, 200))


scene.run()
