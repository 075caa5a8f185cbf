# SPDX-License-Identifier: Apache-2.0
"""An origin that says exactly what its scene wants said, and writes down exactly what it heard.

`reply` is what each request gets: bytes, (bytes, CLOSE) to end the connection behind them, or a
function of (request, wire) that returns one of these, CLOSE alone, or None when it has sent all by
itself.
"""

import socket
import threading

from wire import Cut, Malformed, Wire, head

CLOSE = object()


def answer(body=b"ok", *fields, status="200 OK"):
    return head(f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}") + body


class Heard(Wire):
    """A wire that remembers all that came over it, for as long as it has a memory."""

    def __init__(self, sock):
        super().__init__(sock)
        self.all = bytearray()
        self.remembers = True

    def read_some(self):
        fresh = not self.kept
        some = super().read_some()
        if fresh and self.remembers:
            self.all += some
        return some


class Origin:
    def __init__(self, reply=None, port=0):
        self.reply = answer() if reply is None else reply
        self.wires, self.requests, self.faults = [], [], []
        self.changed = threading.Condition()
        self.door = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = self.door.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Takes no more connections and ends those that are."""
        self.close_door()
        with self.changed:
            wires = list(self.wires)
        for wire in wires:
            try:
                wire.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close_door(self):
        try:
            self.door.shutdown(socket.SHUT_RDWR)  # wakes accept, which close alone does not
        except OSError:
            pass
        self.door.close()

    def accept(self):
        while True:
            try:
                sock, _ = self.door.accept()
            except OSError:
                return
            wire = Heard(sock)
            with self.changed:
                self.wires.append(wire)
                self.changed.notify_all()
            threading.Thread(target=self.serve, args=(wire,), daemon=True).start()

    def serve(self, wire):
        try:
            while self.serve_one(wire):
                pass
        except (Cut, OSError):
            pass
        except Malformed as fault:
            self.faults.append(fault)
        finally:
            wire.close()

    def serve_one(self, wire):
        request = wire.read_head()
        if not getattr(self.reply, "takes_body", False):
            wire.read_body(request, "none")
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        said = self.reply(request, wire) if callable(self.reply) else self.reply
        parts = said if isinstance(said, tuple) else (said,)
        wire.send(*(part for part in parts if isinstance(part, bytes)))
        return CLOSE not in parts

    # ---- what it saw ----

    @property
    def heard(self):
        """All bytes that came, over all connections."""
        with self.changed:
            return b"".join(bytes(wire.all) for wire in self.wires)

    def forget(self):
        with self.changed:
            self.requests.clear()
            self.faults.clear()
            for wire in self.wires:
                wire.all.clear()

    @property
    def request(self):
        """The one request that came."""
        if self.faults or len(self.requests) != 1:
            raise AssertionError(f"{len(self.requests)} requests at the origin, {self.faults}")
        return self.requests[0]

    def wait_for(self, count, what="requests", seconds=10):
        """Waits until so many requests (or wires) have come."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(getattr(self, what)) >= count, seconds):
                raise AssertionError(f"{len(getattr(self, what))} of {count} {what} came")


def takes_body(function):
    """Marks a reply that reads the request's body by itself."""
    function.takes_body = True
    return function
