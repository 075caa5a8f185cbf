#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""`larderctl purge` as CI uses it: orders from options, URLs from a file, receipts for people and as
JSON, and an exit code for each way it can end."""

import json
import os
import subprocess
from pathlib import Path

import scene
from caching import is_hit, lasting, numbered, with_store
from larder import Larder, free_port
from origin import Origin
from scene import case, check, equal

LARDERCTL = os.environ.get("LARDERCTL") or str(Path(__file__).parents[3] / "build/larderctl")


def run(larder, *args, stdin=""):
    """larderctl: its exit code, what it says on stdout, and on stderr."""
    done = subprocess.run(
        [LARDERCTL, "--admin", f"127.0.0.1:{larder.admin_port}", *args],
        input=stdin.encode(), capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def reply():
    return numbered("max-age=600", "Surrogate-Key: all")


def test_what():
    table = {
        "a URL": ("http://a/1",),
        "--url": ("--url", "http://a/1"),
        "tags": ("--tag", "other, all", "--hard"),
        "a prefix": ("--prefix", "a/1", "--hard"),
        "a host": ("--host", "a", "--hard"),
        "all": ("--all", "--hard"),
        "an expression": ("--expr", "all AND NOT x", "--hard"),
        "a regular expression": ("--regex", "/1$", "--hard"),
    }
    with Origin(reply()) as origin, Larder(origin) as larder:
        for number, (name, words) in enumerate(table.items(), 1):
            with case(name):
                larder.get("/1")
                check(is_hit(larder.get("/1")), "stored")
                code, out, errors = run(larder, "-o", "json", "purge", *words, "--wait")
                equal(code, 0, errors)
                receipt = json.loads(out)
                equal((receipt["seq"], receipt["mode"]), (number, "hard"))
                equal(receipt["matched"]["objects"], 1)
                check(not is_hit(larder.get("/1")), "it was not purged")


def test_how_it_ends():
    with Origin(reply()) as origin, with_store(origin) as larder:
        for target in ("/1", "/2", "/3"):
            larder.get(target)
        table = [
            (0, ("--tag", "all", "--dry-run"), "3 objects"),
            (7, ("--tag", "none", "--fail-if-empty"), "nothing matches"),
            (5, ("--tag", "all", "--max-objects", "2"), "3 objects match"),
            (0, ("--tag", "all", "--max-objects", "2", "--confirm", "--wait"), "3 objects"),
            (2, (), "says not what to purge"),
            (2, ("--expr", "a AND",), "expression at byte 5"),
            (2, ("--max-objects", "x", "--all"), "whole number"),
            (2, ("--soft", "--refresh=0", "--all"), "whole number"),
            (1, ("receipt", "99"), "no purge has this number"),
        ]  # fmt: skip
        for code, words, said in table:
            with case(" ".join(words)):
                got, out, errors = run(larder, "purge", *words)
                equal(got, code, errors)
                check(said in out + errors, f"no {said!r} in {out + errors!r}")
        equal(run(larder, "stat", "--tag", "x")[0], 2)
        gone = Larder(origin)
        gone.admin_port = free_port()
        equal(run(gone, "purge", "--all")[0], 4)


def test_many_urls():
    with Origin(lambda *_: lasting("max-age=600", b"x")) as origin, Larder(origin) as larder:
        larder.get("/17")
        urls = "".join(f"http://a/{n}\n" for n in range(10050))
        code, out, errors = run(larder, "-o", "json", "purge", "--from", "-", stdin=urls + "\n\n")
        equal(code, 0, errors)
        first, second = (json.loads(line) for line in out.splitlines())
        equal((first["scopes"], second["scopes"]), (20000, 100))
        check(not is_hit(larder.get("/17")), "it was among them")
        equal(run(larder, "purge", "--from", "/nowhere")[0], 2)


def test_receipts_and_log():
    with Origin(reply()) as origin, with_store(origin) as larder:
        larder.get("/1")
        why = ("--reason", "price change", "--deploy-id", "d-17")
        equal(run(larder, "purge", "--tag", "all", *why)[0], 0)
        code, out, _ = run(larder, "purge", "receipt", "1", "--wait")
        equal(code, 0)
        for said in ("1 objects", "price change", "d-17", "http://a/1"):
            check(said in out, f"no {said!r} in {out!r}")
        code, out, _ = run(larder, "purge", "log")
        equal(code, 0)
        check('{"tags":["all"]' in out and "price change" in out, out)
        code, out, _ = run(larder, "-o", "json", "purge", "log", "--since", "1")
        equal(json.loads(out)["purges"], [])
        # The same order under the same key is done once.
        for _ in range(2):
            code, out, _ = run(larder, "-o", "json", "purge", "--all", "--idempotency-key", "k")
            equal(json.loads(out)["seq"], 2)
        equal(run(larder, "purge", "--tag", "b", "--idempotency-key", "k")[0], 5)


scene.run()
