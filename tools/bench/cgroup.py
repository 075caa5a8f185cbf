# SPDX-License-Identifier: Apache-2.0
"""A memory cgroup for a server and the page cache that it fills: below the group that the bench
itself is in, so that whoever limited the bench limits the server still. Version 1 or 2; as root."""

import contextlib
import os
import pathlib
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
LIMIT = {1: "memory.limit_in_bytes", 2: "memory.max"}
EMPTY_S = 5  # until the kernel has noticed that the last process is gone


class Refused(Exception):
    """There is no memory cgroup to be had, and why."""


def own_group():
    """The version, and the folder of the group that we are in. Where both versions are there, the
    first has the memory."""
    lines = pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    groups = {names: path for _, names, path in (line.split(":", 2) for line in lines)}
    if "memory" in groups:
        return 1, ROOT / "memory" / groups["memory"].lstrip("/")
    return 2, ROOT / groups.get("", "/").lstrip("/")


def remove(group):
    """The folder goes once it has no process."""
    limit = time.monotonic() + EMPTY_S
    while True:
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def memory(mib):
    """A new group with that limit; yields its folder. Its processes must have ended before."""
    version, parent = own_group()
    group = parent / f"larder-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as why:
        raise Refused(f"no cgroup: {why}") from why
    try:
        (group / LIMIT[version]).write_text(str(mib << 20), encoding="ascii")
    except OSError as why:
        remove(group)
        raise Refused(f"no memory cgroup: {why}") from why
    try:
        yield group
    finally:
        remove(group)


def inside(group, command):
    """The command as one that enters the group before it begins; the same process."""
    return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group / "cgroup.procs"), *command]
