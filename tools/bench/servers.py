# SPDX-License-Identifier: Apache-2.0
"""The servers of the bench: how each is configured, started and asked for its version.

All run from a folder of their own, listen on 127.0.0.1 only and are held to one core. What each
is given, worth comparing: one worker, 256 MB of memory for objects, no access log.
"""

import argparse
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import cgroup

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
START_LIMIT_S = 30

# Open files wanted for each program: idle connections, and room for what else it opens.
FILES = 65536
SPARE_FILES = 1000

# What h2o serves from a folder.
FILE_BYTES = {"1k": 1 << 10, "16k": 16 << 10, "128k": 128 << 10, "1m": 1 << 20}

# Versions are asked of all, also of the load generator.
VERSION = {
    "larder": ["{larder}", "version"],
    "nginx": ["nginx", "-v"],
    "varnish": ["varnishd", "-V"],
    "varnish-modules": ["dpkg-query", "-Wf", "${{Version}}", "varnish-modules"],
    "trafficserver": ["traffic_server", "--version"],
    "haproxy": ["haproxy", "-v"],
    "h2o": ["h2o", "-v"],
    "wrk": ["wrk", "-v"],
    "h2load": ["h2load", "--version"],
    "openssl": ["openssl", "version"],
}


class Skip(Exception):
    """A server that cannot take part, and why."""


def build_folder():
    return (ROOT / os.environ.get("BUILD", "build")).resolve()


def larder():
    return os.environ.get("LARDER", str(build_folder() / "larder"))


def version(name):
    """The first version number in what the program says about itself."""
    if name == "limit":
        return "limit"
    command = [word.format(larder=larder()) for word in VERSION[name]]
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+[^\s,()]*", done.stdout + done.stderr)
    return f"{name} {found[0] if found else '?'}"


def listed(choices):
    """A type for argparse: names with commas between, each one of the choices."""
    def parse(text):
        names = text.split(",")
        unknown = [name for name in names if name not in choices]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"no {', '.join(unknown)}; there are {', '.join(choices)}")
        return names
    return parse


def limit_program():
    """The bench's own server; `make bench` has built it, a bare call builds it here."""
    program = build_folder() / "bench" / "limit"
    source = HERE / "limit.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu2x", "-D_GNU_SOURCE", "-O2",
                        "-o", str(program), str(source)], check=True)
    return str(program)


# ---- certificates ---------------------------------------------------------------------------

def make_certificate(folder):
    """A certificate that all servers show: what sites use by default today, ECDSA on P-256."""
    if (folder / "both.pem").exists():
        return  # a second start
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
                   check=True, capture_output=True)
    # HAProxy reads both from one file.
    both = (folder / "cert.pem").read_text() + (folder / "key.pem").read_text()
    (folder / "both.pem").write_text(both)


# ---- configurations -------------------------------------------------------------------------

def fill(template, folder, ports):
    """Write a template of peers/ into the folder with the @NAMES@ replaced."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    values = {"DIR": str(folder), "CONNECTIONS": str(min(files - SPARE_FILES, 20000)),
              "OPENCACHE": f"max={min(files // 2, 20000)} inactive=300s"} | ports
    text = (HERE / "peers" / template).read_text()
    target = folder / pathlib.Path(template).name
    target.write_text(re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], text))
    return str(target)


def command_limit(_folder, ports):
    return [limit_program(), ports["LISTEN"]]


def command_larder(folder, ports):
    # As many requests on a connection as the load likes: so it is with all.
    (folder / "larder.yaml").write_text("limits: {requests: 0}\n")
    store = ["--store-size", "10g", "--store", str(folder / "store")]
    return [larder(), "run", "--config", str(folder / "larder.yaml"), "--origin", f"http://127.0.0.1:{ports['ORIGIN']}",
            "--listen", f"http://127.0.0.1:{ports['LISTEN']}",
            "--listen", f"https://127.0.0.1:{ports['TLS']}",
            "--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"),
            "--admin", f"127.0.0.1:{ports['ADMIN']}", "--workers", "1",
            "--hot-size", f"{ports['MEMORY']}m", "--access-log", "off"] + (
                store if ports.get("STORE", "yes") else [])


def command_nginx(folder, ports):
    return ["nginx", "-p", str(folder), "-c", fill("nginx.conf", folder, ports)]


def command_haproxy(folder, ports):
    return ["haproxy", "-db", "-f", fill("haproxy.cfg", folder, ports)]


def command_h2o(folder, ports):
    """It has no cache: files from a folder, held open and in its memory, stand in for one."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    for name, size in FILE_BYTES.items():
        (files / name).write_bytes(b"x" * size)
    return ["h2o", "-m", "worker", "-c", fill("h2o.yaml", folder, ports)]


def command_varnish(folder, ports):
    # One pool is what one core wants; its threads are there before the load comes.
    return ["varnishd", "-F", "-j", "none", "-n", str(folder / "work"),
            "-a", f"127.0.0.1:{ports['LISTEN']}", "-f", fill(ports.get("VCL", "varnish.vcl"), folder, ports),
            "-s", f"malloc,{ports['MEMORY']}m", "-p", "thread_pools=1", "-p", "thread_pool_min=200",
            "-p", "timeout_idle=300", "-p", "listen_depth=4096", "-p", "nuke_limit=1000"]


def command_trafficserver(folder, ports):
    (folder / "cache").mkdir(exist_ok=True)
    for name in ("records.config", "remap.config", "storage.config", "ip_allow.yaml"):
        fill(f"trafficserver/{name}", folder, ports)
    root = fill("trafficserver/runroot.yaml", folder, ports)
    return ["traffic_server", f"--run-root={root}"]


COMMANDS = {
    "larder": command_larder,
    "nginx": command_nginx,
    "haproxy": command_haproxy,
    "h2o": command_h2o,
    "trafficserver": command_trafficserver,
    "varnish": command_varnish,
    "limit": command_limit,
}


# ---- running --------------------------------------------------------------------------------

def free_ports(*names):
    """A free port for each name; all are held until all are known, so none comes twice."""
    with contextlib.ExitStack() as stack:
        probes = {name: stack.enter_context(socket.socket()) for name in names}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        return {name: str(probe.getsockname()[1]) for name, probe in probes.items()}


def listens(port, child):
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit and child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 1):
            return True
        time.sleep(0.01)
    return False


def end_group(child):
    """End the child and everything it started, first politely."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(15)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextlib.contextmanager
def running(command, port, core, log, group=None):
    """A program on one core, in its own process group, until the block ends. group: a cgroup."""
    command = ["taskset", "-c", core] + command
    with open(log, "a", encoding="utf-8") as output:
        child = subprocess.Popen(cgroup.inside(group, command) if group else command,
                                 start_new_session=True, stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=subprocess.STDOUT)
    try:
        if not listens(port, child):
            words = pathlib.Path(log).read_text(errors="replace").strip()[-500:]
            raise Skip(f"does not start: {words or f'status {child.poll()}'}")
        yield child.pid
    finally:
        end_group(child)


@contextlib.contextmanager
def server(name, folder, origin, core, memory_mib=256, ports=None, group=None, settings=None):
    """A server that answers requests; yields its process and its ports. Its folder stays until the
    bench ends: file systems are slow to make files soon after many were removed. ports: of a former
    start in that folder. group: a cgroup. settings: instead of the usual ones in its configuration;
    STORE: empty = RAM only."""
    folder.mkdir(exist_ok=True)
    make_certificate(folder)
    ports = ports or free_ports("LISTEN", "TLS", "ADMIN") | {"ORIGIN": origin}
    ports = {key: str(port) for key, port in ports.items()}
    values = ports | {"MEMORY": str(memory_mib), "MEMORYBYTES": str(memory_mib << 20)}
    values |= settings or {}
    command = COMMANDS[name](folder, values)
    with running(command, ports["LISTEN"], core, f"{folder}.log", group) as pid:
        yield pid, {name: int(port) for name, port in ports.items()}
