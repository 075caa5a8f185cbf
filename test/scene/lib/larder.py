# SPDX-License-Identifier: Apache-2.0
"""A Larder under test: started with a configuration, asked, measured, signalled, stopped.

    with Origin() as origin, Larder(origin) as larder:
        answer = larder.ask("GET / HTTP/1.1", "Host: a")

The environment of test/run says where the program is and which ports are free.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wire import Wire, head

TOP = Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("LARDER", str(TOP / "build/larder"))
START_SECONDS = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Larder:
    """`origins`: origins or URLs of one group. `config`: keys of the configuration; under
    `origin`, those of the group."""

    def __init__(self, *origins, config=None, workers=1, flags=()):
        self.port = int(os.environ.get("PORT1") or free_port())
        self.admin_port = int(os.environ.get("PORT2") or free_port())
        self.folder = tempfile.TemporaryDirectory(prefix="larder-scene-")
        self.path = Path(self.folder.name)
        self.config_file = self.path / "larder.yaml"
        self.urls = [getattr(origin, "url", origin) for origin in origins]
        self.flags = flags
        self.base = {
            "listen": [f"http://127.0.0.1:{self.port}"],
            "admin": f"127.0.0.1:{self.admin_port}",
            "workers": workers,
            "log": {"access": "off"},
        }
        self.child = None
        self.env = {}  # more of the environment
        self.prefix = []  # words before the command
        self.configure(config or {})

    def configure(self, config):
        """Writes the configuration; JSON is YAML."""
        config = dict(config)
        group = {"name": "default", "addresses": self.urls} | config.pop("origin", {})
        whole = self.base | {"origins": [group]} | config
        self.config_file.write_text(json.dumps(whole, indent=1))

    # ---- life ----

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        try:
            if self.child.poll() is None:
                self.child.send_signal(signal.SIGTERM)
            code = self.wait()
            if kind is None and code != 0:
                raise AssertionError(f"larder ended with {code}")
        except Exception:
            kind = kind or Exception
            raise
        finally:
            if kind is not None:
                sys.stderr.write("".join(f"larder: {line}\n" for line in self.said().splitlines()))
            self.child.stdout.close()
            self.folder.cleanup()

    def start(self):
        command = [*self.prefix, PROGRAM, "run", "--config", str(self.config_file), *self.flags]
        with open(self.path / "stderr", "ab") as errors:
            self.child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env=os.environ | self.env
            )
        os.set_blocking(self.child.stdout.fileno(), False)
        said, end = b"", time.monotonic() + START_SECONDS
        while b"ready" not in said:
            said += self.child.stdout.read() or b""
            if self.child.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"larder is not ready: {said} {self.said()}")
            time.sleep(0.01)

    def wait(self, seconds=20):
        """Waits for its end; returns its exit code."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"larder did not end within {seconds} s") from None

    def signal(self, number):
        self.child.send_signal(number)

    def said(self):
        """Its error log."""
        return (self.path / "stderr").read_text(errors="replace")

    def wait_for_word(self, pattern, count=1, seconds=10):
        """Waits until the error log has so many lines with this pattern."""
        end = time.monotonic() + seconds
        while len(re.findall(pattern, self.said(), re.M)) < count:
            if time.monotonic() > end:
                raise AssertionError(f"larder did not say {pattern!r}: {self.said()}")
            time.sleep(0.01)

    # ---- asking ----

    def connect(self, receive_bytes=None):
        sock = socket.socket()
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.connect(("127.0.0.1", self.port))
        return Wire(sock)

    def refuses(self):
        """Whether nobody listens any more."""
        try:
            self.connect().close()
            return False
        except ConnectionResetError:  # made, but not taken before the listener closed
            return False
        except ConnectionRefusedError:
            return True

    def ask(self, *lines, body=b""):
        """One request on its own connection."""
        with self.connect() as wire:
            wire.send(head(*lines), body)
            return wire.read_answer(lines[0].split(" ")[0])

    def get(self, target="/", *fields):
        return self.ask(f"GET {target} HTTP/1.1", "Host: a", *fields)

    # ---- measuring ----

    def admin(self, target):
        sock = socket.create_connection(("127.0.0.1", self.admin_port))
        with Wire(sock) as wire:
            wire.send(head(f"GET {target} HTTP/1.1", "Host: admin", "Connection: close"))
            return wire.read_answer()

    def metric(self, name, **labels):
        """The value of one series; 0 where it is not there yet."""
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for line in self.admin("/metrics").body.decode().splitlines():
            found = re.fullmatch(r"larder_(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name and wanted <= set((found[2] or "").split(",")):
                return float(found[3])
        return 0

    def wait_for_metric(self, wanted, name, seconds=10, **labels):
        end = time.monotonic() + seconds
        while (value := self.metric(name, **labels)) != wanted:
            if time.monotonic() > end:
                raise AssertionError(f"{name} {labels} is {value}, not {wanted}")
            time.sleep(0.02)

    def memory(self, what="VmRSS"):
        """Bytes that its process holds in RAM."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) * 1024

    def check_growth(self, before, limit, what="VmHWM"):
        """Its memory was never larger than before by more than that. Returns by how much it was. A
        sanitizer's own memory would be measured too, so then nothing is."""
        grown = self.memory(what) - before
        if grown > limit and not os.environ.get("SAN"):
            raise AssertionError(f"memory grew by {grown} bytes, {limit} are allowed")
        return grown
