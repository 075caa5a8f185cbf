# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as bytes on a socket, read strictly: what Larder says must be beyond doubt.

A Wire is a connected socket; read_message() takes one message off it and refuses whatever RFC 9112
does not allow a sender to write. Nothing here is shared with Larder.
"""

import re
import socket
import threading
from dataclasses import dataclass, field

PATIENCE = 20  # seconds a read may wait: long, since only a test that fails waits for it

START = re.compile(rb"HTTP/1\.1 (\d{3}) ([\x20-\x7e]*)|([!-~]+) (\S+) HTTP/1\.[01]")
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
FIELD = re.compile(rb"(" + TOKEN + rb"): ?([\x21-\x7e\x80-\xff]?[\x20-\x7e\t\x80-\xff]*)")


class Malformed(Exception):
    """What was read is no HTTP/1.1 that a sender may write."""


class Cut(Exception):
    """The connection ended before the message did."""


@dataclass
class Message:
    head: bytes
    fields: list  # of (name, value), as text
    framing: str = "none"  # none, length, chunked, close
    body: bytes = b""
    chunks: list = field(default_factory=list)
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)  # answers that came before this one

    @property
    def line(self):
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def status(self):
        return int(self.line.split(" ")[1])

    @property
    def method(self):
        return self.line.split(" ")[0]

    @property
    def target(self):
        return self.line.split(" ")[1]

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        """The value of a field that stands there once; None where it does not stand."""
        values = self.all(name)
        if len(values) > 1:
            raise Malformed(f"{name} {len(values)} times: {values}")
        return values[0] if values else None


def head(*lines):
    """Lines as a head: each ended, and the empty one behind them."""
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def chunked(*parts, trailers=()):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return chunks + b"0\r\n" + head(*trailers)


def fields_of(lines):
    found = []
    for line in lines:
        match = FIELD.fullmatch(line)
        if not match:
            raise Malformed(f"field line {line!r}")
        found.append((match[1].decode(), match[2].decode("latin-1").rstrip(" \t")))
    return found


class Wire:
    def __init__(self, sock):
        self.sock = sock
        self.kept = b""  # read and not taken yet
        self.sending = threading.Lock()  # OpenSSL takes one write at a time
        sock.settimeout(PATIENCE)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes so that the peer gets a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def send(self, *parts):
        with self.sending:
            self.sock.sendall(b"".join(parts))

    def finish(self):
        """Says that nothing more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    # ---- bytes ----

    def read_some(self):
        """What comes next, or b"" at the end."""
        if self.kept:
            some, self.kept = self.kept, b""
            return some
        try:
            return self.sock.recv(1 << 18)
        except ConnectionResetError:
            return b""

    def read_until(self, mark):
        """Bytes up to and with the mark."""
        have = bytearray()
        while (at := have.find(mark)) < 0:
            if not (some := self.read_some()):
                raise Cut(f"after {bytes(have[-200:])!r}")
            have += some
        self.kept = bytes(have[at + len(mark) :]) + self.kept
        return bytes(have[: at + len(mark)])

    def read_exactly(self, count):
        have = bytearray()
        while len(have) < count:
            if not (some := self.read_some()):
                raise Cut(f"{len(have)} of {count} bytes came")
            have += some
        self.kept = bytes(have[count:])
        return bytes(have[:count])

    def read_rest(self):
        have = bytearray()
        while some := self.read_some():
            have += some
        return bytes(have)

    def is_closed(self, within=PATIENCE):
        """Whether the peer closes without a further byte."""
        self.sock.settimeout(within)
        try:
            return self.read_some() == b""
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(PATIENCE)

    def is_quiet(self, for_s=0.2):
        """Whether nothing comes, not even the end, for so long."""
        self.sock.settimeout(for_s)
        try:
            self.kept = self.read_some()
            return False
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(PATIENCE)

    # ---- messages ----

    def read_head(self):
        text = self.read_until(b"\r\n\r\n")
        first, *lines = text[:-4].split(b"\r\n")
        if not START.fullmatch(first):
            raise Malformed(f"first line {first!r}")
        return Message(text, fields_of(lines))

    def read_answer(self, method="GET"):
        """The final answer, with what came before it among its `interim`."""
        interim = []
        while (message := self.read_head()).status < 200:
            interim.append(message)
        message.interim = interim
        has_body = method != "HEAD" and message.status not in (204, 304)
        return self.read_body(message, "close") if has_body else message

    def read_request(self):
        return self.read_body(self.read_head(), "none")

    def read_body(self, message, otherwise):
        length, coding = message.get("Content-Length"), message.get("Transfer-Encoding")
        if length is not None and coding is not None:
            raise Malformed("Content-Length and Transfer-Encoding")
        if coding not in (None, "chunked"):
            raise Malformed(f"Transfer-Encoding: {coding}")
        message.framing = "chunked" if coding else "length" if length is not None else otherwise
        if coding:
            self.read_chunks(message)
        elif length is not None:
            message.body = self.read_exactly(int(length))
        elif otherwise == "close":
            message.body = self.read_rest()
        return message

    def read_chunks(self, message):
        while True:
            line = self.read_until(b"\r\n")
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}\r\n", line):
                raise Malformed(f"chunk line {line!r}")
            if int(line, 16) == 0:
                break
            message.chunks.append(self.read_exactly(int(line, 16)))
            if self.read_exactly(2) != b"\r\n":
                raise Malformed("no CRLF behind a chunk")
        message.body = b"".join(message.chunks)
        lines = []
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            lines.append(line[:-2])
        message.trailers = fields_of(lines)
