#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A store that cannot be opened: Larder starts and serves from RAM and the origin, metrics and log say
what ails it, and when it can be opened it is, without a restart."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import scene
from caching import asked, crash, is_hit, lasting, wait_until_written, with_store
from faults import (
    SMALL,
    fill,
    reply,
    traffic,
    wait_for_disk_hit,
    wait_for_state,
)
from larder import free_port
from origin import Origin, answer
from scene import check, equal, eventually, skip


def stop(larder):
    larder.child.terminate()
    equal(larder.wait(), 0)


def start(larder):
    larder.child.stdout.close()
    larder.start()


def test_no_directory():
    """Neither it nor that which it should be in, which comes later."""
    with tempfile.TemporaryDirectory(prefix="larder-late-") as folder, Origin(reply) as origin:
        path = Path(folder) / "disk/store"
        with with_store(origin, path=str(path), **SMALL) as larder, traffic(larder):
            wait_for_state(larder, "off", "missing")
            larder.wait_for_word(r"store: off: .*\(missing: .*to do: ")
            path.parent.mkdir()
            wait_for_state(larder, "ok")
            wait_for_disk_hit(larder)


def test_a_directory_that_is_taken_away():
    """Deleted, or another is put in its place: that one is taken into use."""
    with Origin(reply) as origin, with_store(origin, **SMALL) as larder, traffic(larder):
        fill(larder)
        store = larder.path / "store"
        store.rename(larder.path / "away")
        eventually(lambda: (store / "CURRENT").exists(), "no new store", 15)
        wait_for_state(larder, "ok")
        wait_for_disk_hit(larder)
        equal(larder.said().count("another directory"), 1)


def test_the_wrong_owner():
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        skip("only root can be somebody else")
    with tempfile.TemporaryDirectory(prefix="larder-owner-") as folder, Origin(reply) as origin:
        os.chmod(folder, 0o755)
        store = Path(folder) / "store"
        store.mkdir()
        larder = with_store(origin, path=str(store), **SMALL)
        os.chmod(larder.path, 0o755)
        nobody = 65534
        larder.prefix = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
        with larder, traffic(larder):
            wait_for_state(larder, "off", "permission")
            larder.wait_for_word(r"store: off: .*\(permission: .*to do: ")
            os.chown(store, nobody, nobody)
            wait_for_state(larder, "ok")
            wait_for_disk_hit(larder)


def second_of(origin, first):
    """Another Larder with the same store."""
    second = with_store(origin, path=str(first.path / "store"), **SMALL)
    for name, port in (("port", "PORT3"), ("admin_port", "PORT4")):
        setattr(second, name, int(os.environ.get(port) or free_port()))
    second.base |= {
        "listen": [f"http://127.0.0.1:{second.port}"],
        "admin": f"127.0.0.1:{second.admin_port}",
    }
    second.configure(
        {"store": {"path": str(first.path / "store"), "admission": "always"} | SMALL}
    )
    return second


def test_another_one_has_it():
    """When that one ends, this one has it, and all that is in it."""
    with Origin(reply) as origin, with_store(origin, **SMALL) as first:
        fill(first)
        with second_of(origin, first) as second, traffic(second):
            wait_for_state(second, "off", "locked")
            second.wait_for_word(r"store: off: .*\(locked: .*to do: ")
            stop(first)
            wait_for_state(second, "ok")
            wait_for_disk_hit(second)
            origin.forget()
            eventually(lambda: second.metric("store_reads_total", result="found") > 30, "hits")
            check(len(origin.requests) < 30, f"{len(origin.requests)} were not found")
        start(first)


def numbered(box):
    """An origin whose pages are the number of times they were asked for, behind a validator."""

    def it(request, _):
        if request.method != "GET":
            return answer(b"")
        return lasting("max-age=900", b"%d" % len(asked(box[0], request.target, "GET")))

    return it


def test_invalidated_while_another_has_it():
    """The second one knows neither the store's secret nor its numbers when it hears of the change. What
    it heard of holds for the store, too, once it has it, and in all later lives."""
    box = []
    with Origin(numbered(box)) as origin, with_store(origin, **SMALL) as first:
        box.append(origin)
        equal([first.get(t).body for t in ("/a", "/b")], [b"1", b"1"])
        wait_until_written(first, 2)
        with second_of(origin, first) as second:
            wait_for_state(second, "off", "locked")
            second.ask("PUT /a HTTP/1.1", "Host: a", "Content-Length: 0")
            stop(first)
            wait_for_state(second, "ok")
            crash(second)
            equal(second.get("/a").body, b"2", "what was invalidated came back")
        start(first)


def test_nothing_was_invalidated():
    """Then all of a store that opens late is good as it is."""
    box = []
    with Origin(numbered(box)) as origin, with_store(origin, **SMALL) as first:
        box.append(origin)
        first.get("/a")
        wait_until_written(first, 1)
        with second_of(origin, first) as second:
            wait_for_state(second, "off", "locked")
            stop(first)
            wait_for_state(second, "ok")
            got = second.get("/a")
            equal((got.body, is_hit(got)), (b"1", True))
        start(first)


scene.run()
