# SPDX-License-Identifier: Apache-2.0
"""What the bench measures with: processor time and memory of a process tree, load, idle clients."""

import contextlib
import json
import os
import resource
import selectors
import socket
import subprocess
import urllib.request

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


# ---- a process and all that it started ------------------------------------------------------

def stat_fields(pid):
    """/proc/PID/stat after the name, which alone may contain spaces."""
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()


def tree(root):
    """The process and its living descendants, as {pid: stat fields}."""
    every = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            every[int(name)] = stat_fields(name)
    found, wanted = {}, {root}
    while wanted:
        found |= {pid: every[pid] for pid in wanted if pid in every}
        wanted = {pid for pid, fields in every.items() if int(fields[1]) in wanted}
    return found


def cpu_us(root):
    """User and system time of the tree, threads and children that have ended included."""
    return TICK_US * sum(int(ticks) for fields in tree(root).values() for ticks in fields[11:15])


def memory_bytes(root):
    """Resident memory of the tree, pages that are shared counted once."""
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup",
                                                encoding="ascii") as file:
            total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    return total


# ---- load -----------------------------------------------------------------------------------

def get(port, path):
    """One request on a connection of its own."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read()


def wrk(port, path, seconds, connections, core, miss=None):
    """Load from one thread on one core; what load.lua counted, as a dict."""
    script = os.path.join(os.path.dirname(__file__), "load.lua")
    command = ["taskset", "-c", core, "wrk", "-t", "1", "-c", str(connections),
               "-d", f"{seconds}s", "--timeout", "10s", "-s", script,
               f"http://127.0.0.1:{port}{path}"]
    environment = os.environ | ({"BENCH_MISS": miss} if miss else {})
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    return json.loads(output.strip().splitlines()[-1])


# ---- idle clients ---------------------------------------------------------------------------

def raise_file_limit(wanted):
    """Raise the limit for us and for the servers that we start, as far as we may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for want in (max(hard, wanted), hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (want, want))
            return


def open_idle(port, path, count):
    """Open connections, each with one answered request; returns the sockets."""
    ask = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), 10)
        client.sendall(ask)
        read_answer(client)
        clients.append(client)
    return clients


def read_answer(client):
    """Read one answer to its end, by Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(client)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n")
               if line.startswith(b"content-length:")]
    if not lengths:
        raise RuntimeError("an answer without Content-Length")
    missing = int(lengths[0]) - len(body)
    while missing > 0:
        missing -= len(receive(client))


def receive(client):
    data = client.recv(65536)
    if not data:
        raise RuntimeError("the server closed the connection")
    return data


def closed_count(clients):
    """How many of the idle connections the server has closed meanwhile."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        return len(selector.select(0))
