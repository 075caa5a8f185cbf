# SPDX-License-Identifier: Apache-2.0
"""What the bench measures with: processor time and memory of a process tree, load, idle clients."""

import contextlib
import json
import os
import platform
import re
import resource
import selectors
import socket
import ssl
import subprocess
import urllib.request

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
FILL_SECONDS, FILL_PASSES_MOST = 5, 60


# ---- the machine ----------------------------------------------------------------------------

def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def machine_ticks():
    """Of all processors together: ticks that somebody used, or took from this machine; all ticks."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


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


def children_us():
    """Processor time of all that has ended and was waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e6


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


@contextlib.contextmanager
def loading(url, seconds, connections, core, closes=False, **told):
    """HTTP/1 load from one thread on one core while the block is done; yields what waits for its end
    and returns what load.lua counted, as a dict. closes: each request on a connection of its own.
    told: what load.lua is told, such as miss="/4k/x-"; with tell=1 the block begins with the load."""
    script = os.path.join(os.path.dirname(__file__), "load.lua")
    command = ["taskset", "-c", core, "wrk", "-t", "1", "-c", str(connections),
               "-d", f"{seconds}s", "--timeout", "10s", "-s", script]
    command += ["-H", "Connection: close"] if closes else []
    command.append(url)
    environment = os.environ | {f"BENCH_{key.upper()}": str(value) for key, value in told.items()
                                if value is not None}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def ended():
        lines = child.stdout.read().strip().splitlines()
        if child.wait() != 0 or not lines:
            raise RuntimeError(f"wrk ended with {child.returncode}")
        return json.loads(lines[-1])

    try:
        while "tell" in told and child.stdout.readline() not in ("begun\n", ""):
            pass
        yield ended
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def wrk(*where, **told):
    """The same, and nothing else meanwhile."""
    with loading(*where, **told) as ended:
        return ended()


def fill(url, keys, connections, core):
    """Ask for each key once, in turn; the last few may be cut off."""
    done = 0
    for _ in range(FILL_PASSES_MOST):
        load = wrk(url, FILL_SECONDS, connections, core, keys=keys, **{"from": done})
        if done + load["requests"] >= keys:
            return
        done += max(load["requests"] - connections, 1)
    raise RuntimeError(f"only {done} of {keys} objects after {FILL_PASSES_MOST} passes")


H2_UNITS = {"us": 1, "ms": 1e3, "s": 1e6}


def h2load(url, seconds, clients, streams, core):
    """HTTP/2 load, as wrk's; h2load tells no percentile, so p50 is its mean and p99 its maximum."""
    command = ["taskset", "-c", core, "h2load", "-c", str(clients), "-m", str(streams),
               "-D", str(seconds), url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    counts = {key: int(value) for value, key in
              re.findall(r"(\d+) (total|succeeded|failed|errored|timeout)", output)}
    times = re.search(r"time for request: +(\S+?)([mu]?s) +(\S+?)([mu]?s) +(\S+?)([mu]?s)", output)
    data = re.search(r"\((\d+)\) data", output)
    return {"requests": counts["succeeded"], "bytes": int(data[1]), "duration_us": seconds * 1e6,
            "p50_us": float(times[5]) * H2_UNITS[times[6]],
            "p99_us": float(times[3]) * H2_UNITS[times[4]],
            "socket_errors": counts["errored"], "timeouts": counts["timeout"],
            "bad_status": counts["failed"] - counts["errored"]}


# ---- idle clients ---------------------------------------------------------------------------

def raise_file_limit(wanted):
    """Raise the limit for us and for the servers that we start, as far as we may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for want in (max(hard, wanted), hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (want, want))
            return


def trusting():
    """What asks for TLS and trusts everyone."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def open_idle(port, path, count, is_tls):
    """Open connections, each with one answered request; returns the sockets."""
    ask = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    context = trusting() if is_tls else None
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), 10)
        if context:
            client = context.wrap_socket(client)
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
