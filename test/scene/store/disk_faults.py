#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that fails while Larder runs: requests go on, metrics and log say what ails it, and when
the disk is well again the store is, without a restart."""

import errno
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import scene
from caching import asked, crash, lasting, restart, with_store
from faults import (
    SHIM,
    SMALL,
    Shim,
    fill,
    reply,
    shimmed,
    traffic,
    wait_for_disk_hit,
    wait_for_state,
    wait_for_writes,
)
from origin import Origin, answer
from scene import case, check, equal, skip

def test_the_disk_does_not_take_a_byte():
    for name, number, why in (("EIO", errno.EIO, "io"), ("ENOSPC", errno.ENOSPC, "full")):
        with case(name), shimmed() as (_, larder, shim), traffic(larder):
            fill(larder)
            shim.fail(f"write {number}", f"sync {number}", f"open {number}")
            for page in range(1000, 1020):
                larder.get(f"/new/{page}")
            wait_for_state(larder, "read-only", why)
            wait_for_disk_hit(larder)  # reading goes on
            larder.wait_for_word(rf"store: read-only: .*\({why}: .*to do: ")
            check(larder.metric("store_errors_total") > 0, "no error is counted")
            shim.heal()
            wait_for_state(larder, "ok")
            wait_for_writes(larder)
            wait_for_disk_hit(larder)


def test_syncing_fails():
    """RocksDB takes that for fatal: only opening it anew helps."""
    with shimmed() as (_, larder, shim), traffic(larder):
        fill(larder)
        shim.fail(f"sync {errno.EIO}", f"write {errno.EIO} .log")
        for page in range(1000, 1010):
            larder.get(f"/new/{page}")
        wait_for_state(larder, "read-only", "io")
        shim.heal()
        wait_for_state(larder, "ok")
        wait_for_writes(larder)
        wait_for_disk_hit(larder)


def test_reading_fails():
    with shimmed() as (_, larder, shim):
        fill(larder)
        larder.child.terminate()
        equal(larder.wait(), 0)
        larder.child.stdout.close()
        larder.start()  # with nothing in RocksDB's memory
        with traffic(larder):
            shim.fail(f"read {errno.EIO}")
            wait_for_state(larder, "off", "io")
            larder.wait_for_word(r"store: off: .*\(io: .*to do: ")
            shim.heal()
            wait_for_state(larder, "ok", seconds=20)
            wait_for_disk_hit(larder)


def counting(origin_box):
    """An origin whose pages are the number of times they were asked for."""

    def it(request, _):
        if request.method != "GET":
            return answer(b"")
        times = len(asked(origin_box[0], request.target, "GET"))
        return lasting("max-age=900", b"%d" % times + b"x" * 20_000)

    return it


def first_of(larder, target):
    return larder.get(target).body.rstrip(b"x")


def test_invalidated_while_it_cannot_write():
    """What was made stale meanwhile is not found, and stays so after recovery and a crash."""
    if not SHIM.exists():
        skip(f"no {SHIM}")
    box = []
    with Origin(counting(box)) as origin:
        box.append(origin)
        larder = with_store(origin, **SMALL)
        shim = Shim(larder, larder.path / "store")
        with larder:
            for target in ("/a", "/b"):
                equal(first_of(larder, target), b"1")
            restart(larder)  # they are on disk, and there alone
            io = errno.EIO
            shim.fail(f"write {io}", f"sync {io}", f"open {io}")
            fill_with(larder, 5, "/more")
            wait_for_state(larder, "read-only", "io")
            larder.ask("PUT /a HTTP/1.1", "Host: a", "Content-Length: 0")
            equal(first_of(larder, "/a"), b"2")
            shim.heal()
            wait_for_state(larder, "ok")
            larder.wait_for_metric(1, "store_writes_total", kind="delete")
            crash(larder)
            check(first_of(larder, "/a") != b"1", "what was invalidated came back")
            equal(first_of(larder, "/b"), b"1", "what was not is there")


def fill_with(larder, count, name="/other"):
    for number in range(count):
        larder.get(f"{name}{number}")


@contextmanager
def ext4():
    """A file system of its own that turns read-only at its first error."""
    if os.geteuid() != 0:
        skip("only root mounts")
    with tempfile.TemporaryDirectory(prefix="larder-ext4-") as folder:
        image, disk = Path(folder) / "image", Path(folder) / "disk"
        disk.mkdir()
        with open(image, "wb") as file:
            file.truncate(256 << 20)
        for command in (
            ["mkfs.ext4", "-q", "-E", "nodiscard", str(image)],
            ["mount", "-o", "loop,errors=remount-ro", str(image), str(disk)],
        ):
            try:
                done = subprocess.run(command, capture_output=True)
            except FileNotFoundError:
                skip(f"no {command[0]}")
            if done.returncode != 0:
                skip(f"no loop mounts here: {done.stderr.decode().strip()}")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def device_of(disk):
    for line in Path("/proc/mounts").read_text().splitlines():
        words = line.split()
        if words[1] == str(disk):
            return Path(words[0]).name
    raise AssertionError(f"{disk} is not mounted")


def test_a_file_system_that_turns_read_only():
    with ext4() as disk, Origin(reply) as origin:
        knob = Path(f"/sys/fs/ext4/{device_of(disk)}/trigger_fs_error")
        if not knob.exists():
            skip("this kernel cannot make ext4 fail")
        with with_store(origin, path=str(disk / "store"), **SMALL) as larder, traffic(larder):
            fill(larder)
            knob.write_text("1\n")
            for page in range(1000, 1010):
                larder.get(f"/new/{page}")
            wait_for_state(larder, "read-only", "read-only")
            wait_for_disk_hit(larder)
            larder.wait_for_word(r"store: read-only: .*\(read-only: .*to do: .*remount")
            done = subprocess.run(["mount", "-o", "remount,rw", str(disk)], capture_output=True)
            if done.returncode == 0:
                wait_for_state(larder, "ok")
                wait_for_writes(larder)
                wait_for_disk_hit(larder)


def test_a_disk_that_is_read_only_at_the_start():
    """And is remounted later."""
    if os.geteuid() != 0:
        skip("only root mounts")
    with tempfile.TemporaryDirectory(prefix="larder-ro-") as disk, Origin(reply) as origin:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64m", "larder", disk])
        if done.returncode != 0:
            skip("no tmpfs here")
        try:
            os.makedirs(disk, exist_ok=True)
            with with_store(origin, path=f"{disk}/store", **SMALL) as larder, traffic(larder):
                wait_for_state(larder, "off", "read-only")
                subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
                wait_for_state(larder, "ok")
                wait_for_writes(larder)
                wait_for_disk_hit(larder)
        finally:
            subprocess.run(["umount", "-l", disk], check=True)


scene.run()
