# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 as frames on a socket: a client that says whatever its scene wants said, right or wrong,
and reads strictly what comes back (RFC 9113).

    with h2raw.connect(larder.port) as client:
        got = client.get("/")
        client.frame(PING, payload=b"1234567")
        client.expect_goaway(FRAME_SIZE_ERROR)

Field sections are written as literals that no table remembers, so that any byte may stand in them,
one broken request leaves nothing behind, and a scene may put them together from pieces. What comes
is unpacked by Debian's hpack: scenes that use this begin with /usr/bin/python3. Nothing here is
shared with Larder; hyperframe is not used, since it writes no frame that breaks a rule.
"""

import select
import socket
import ssl
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field

from hpack import Decoder
from hpack.exceptions import HPACKError
from scene import check, equal
from wire import PATIENCE, Cut, Malformed

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION, PRIORITY_UPDATE = 8, 9, 16
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT = range(5)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(5, 10)
CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(10, 14)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = range(1, 5)
MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, ENABLE_CONNECT_PROTOCOL = 5, 6, 8

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FIXED = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}  # lengths that frames must have


def bare(kind, flags=0, stream=0, payload=b"", length=None):
    """A frame; `length` is what it says of itself when that is not true."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(value):
    return struct.pack(">I", value)


def settings(**values):
    """The payload of SETTINGS: names as above in lower case, or n1=2 for setting 1."""
    pairs = ((int(k[1:]) if k[1:].isdigit() else globals()[k.upper()], v) for k, v in values.items())
    return b"".join(struct.pack(">HI", *pair) for pair in pairs)


def raw(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def integer(value, bits, pattern=0):
    """RFC 7541 5.1"""
    most = (1 << bits) - 1
    if value < most:
        return bytes([pattern | value])
    out, value = bytearray([pattern | most]), value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def literal(name, value, pattern=0):
    """RFC 7541 6.2.2: a field that no table remembers; with pattern 0x40, one that it does."""
    name, value = raw(name), raw(value)
    return bytes([pattern]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def section(fields):
    """Pairs, or bytes that stand for themselves."""
    return b"".join(f if isinstance(f, bytes) else literal(*f) for f in fields)


def request(path="/", *fields, method="GET", authority="a", scheme="http"):
    """The fields of a request; pseudo fields that are None are left out."""
    pseudo = {":method": method, ":scheme": scheme, ":authority": authority, ":path": path}
    return [*((k, v) for k, v in pseudo.items() if v is not None), *fields]


@dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self):
        return struct.unpack(">I", self.payload[:4])[0]


@dataclass
class Answer:
    stream: int
    status: int = 0
    fields: list = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)  # of (status, fields)
    ended: bool = False
    reset: int | None = None  # the code of RST_STREAM
    frames: int = 0  # DATA frames

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def get(self, name):
        values = self.all(name)
        if len(values) > 1:
            raise Malformed(f"{name} {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def is_over(self):
        return self.ended or self.reset is not None

    def __str__(self):
        return f"stream {self.stream}: {self.status}, reset {self.reset}, ended {self.ended}"


def connect(port, tls=None, receive_bytes=None, **more):
    """tls: a server name, spoken to without asking for a certificate that anybody knows."""
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", port))
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        sock = context.wrap_socket(sock, server_hostname=tls)
        equal(sock.selected_alpn_protocol(), "h2", "ALPN")
    return Client(sock, **more)


class Client:
    """`preface`: what is said first; None = the preface and SETTINGS with `settings`. `credits`:
    whether windows are opened again. `polite`: whether SETTINGS and PING are acknowledged."""

    def __init__(self, sock, preface=None, credits=True, polite=True, **opening):
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.credits, self.polite = credits, polite
        self.kept = bytearray()
        self.decoder = Decoder(max_header_list_size=1 << 20)
        self.answers, self.pings, self.settings = {}, [], {}
        self.counts = {}  # frames that came, by kind
        self.settings_came, self.settings_acks = False, 0
        self.goaway = None  # (last stream, code, debug data)
        self.next, self.taken, self.block = 1, {}, None
        self.pumps, self.pushed = False, bytearray()  # what pump has not sent yet
        if preface is None:
            preface = PREFACE + bare(SETTINGS, payload=settings(**opening))
        self.send(preface)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # ---- saying ----

    def send(self, *parts):
        rest, self.pushed = bytes(self.pushed), bytearray()
        self.sock.sendall(rest + b"".join(parts))

    def frame(self, kind, flags=0, stream=0, payload=b"", length=None):
        self.send(bare(kind, flags, stream, payload, length))

    def headers(self, stream, fields, flags=END_STREAM | END_HEADERS, size=16384):
        """A field section: bytes, or a list of fields; in as many frames as it needs."""
        block = fields if isinstance(fields, bytes) else section(fields)
        parts = [block[at : at + size] for at in range(0, len(block), size)] or [b""]
        out = []
        for at, part in enumerate(parts):
            mine = flags & ~END_HEADERS if at == 0 else 0
            if at == len(parts) - 1:
                mine |= flags & END_HEADERS
            out.append(bare(CONTINUATION if at else HEADERS, mine, stream, part))
        self.send(*out)

    def data(self, stream, payload=b"", end=False):
        """In frames of 16 KiB, whatever the windows say."""
        parts = [payload[at : at + 16384] for at in range(0, len(payload), 16384)] or [b""]
        last = len(parts) - 1
        self.send(
            *(bare(DATA, END_STREAM * (end and i == last), stream, p) for i, p in enumerate(parts))
        )

    def new_stream(self):
        self.next += 2
        return self.next - 2

    def ask(self, path="/", *fields, body=None, end=True, **pseudo):
        """Begins a request; returns its stream. body: sent behind it, with end: to its end."""
        stream = self.new_stream()
        flags = END_HEADERS | (END_STREAM if body is None and end else 0)
        self.headers(stream, request(path, *fields, **pseudo), flags)
        if body is not None:
            self.data(stream, body, end)
        return stream

    def reset(self, stream, code=CANCEL):
        self.frame(RST_STREAM, 0, stream, number(code))

    # ---- hearing ----

    def answer_of(self, stream):
        return self.answers.setdefault(stream, Answer(stream))

    def read_frame(self, within=PATIENCE):
        """One frame, understood already. None: nothing came for so long. Cut: the end."""
        end = time.monotonic() + within
        while (found := self.take_frame()) is None:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                self.feed(self.sock.recv(1 << 18))
            except (TimeoutError, ssl.SSLWantReadError):
                return None
            except ConnectionError as fault:
                raise Cut(str(fault)) from None
            finally:
                self.sock.settimeout(PATIENCE)
        self.understand(found)
        return found

    def feed(self, some):
        if not some:
            raise Cut(f"in a frame: {bytes(self.kept)!r}" if self.kept else "ended")
        self.kept += some

    def take_frame(self):
        if len(self.kept) < 9:
            return None
        size = int.from_bytes(self.kept[:3], "big")
        if len(self.kept) < 9 + size:
            return None
        kind, flags, stream = struct.unpack(">BBI", self.kept[3:9])
        found = Frame(kind, flags, stream, bytes(self.kept[9 : 9 + size]))
        del self.kept[: 9 + size]
        return found

    def understand(self, f):
        """Checks that a server may say this, and keeps what it says."""
        self.counts[f.kind] = self.counts.get(f.kind, 0) + 1
        if len(f.payload) > 16384 or f.stream >> 31:
            raise Malformed(f"{len(f.payload)} bytes, stream {f.stream:#x}")
        if f.kind in FIXED and len(f.payload) != FIXED[f.kind]:
            raise Malformed(f"{len(f.payload)} bytes in {f}")
        if not self.settings_came and (f.kind != SETTINGS or f.flags & ACK):
            raise Malformed(f"{f} before SETTINGS")
        if self.block and (f.kind != CONTINUATION or f.stream != self.block[0]):
            raise Malformed(f"{f} within a field section")
        handler = {
            DATA: self.on_data,
            HEADERS: self.on_headers,
            CONTINUATION: self.on_continuation,
            RST_STREAM: self.on_reset,
            SETTINGS: self.on_settings,
            PING: self.on_ping,
            GOAWAY: self.on_goaway,
            WINDOW_UPDATE: lambda f: check(f.number & 0x7FFFFFFF, "increment 0"),
        }.get(f.kind)
        if not handler:
            raise Malformed(f"{f} from a server")
        handler(f)

    def on_data(self, f):
        got = self.live(f.stream)
        if not got.status:
            raise Malformed("DATA before HEADERS")
        got.body += f.payload[1 : -f.payload[0] or None] if f.flags & PADDED else f.payload
        got.frames += 1
        got.ended = bool(f.flags & END_STREAM)
        for stream in (0, f.stream):
            self.give_back(stream, len(f.payload))

    def give_back(self, stream, count):
        self.taken[stream] = self.taken.get(stream, 0) + count
        if self.credits and self.taken[stream] >= 16384:
            self.later(bare(WINDOW_UPDATE, 0, stream, number(self.taken[stream])))
            self.taken[stream] = 0

    def later(self, some):
        """Sends from within reading: a server that does not listen any more is no fault here."""
        if self.pumps:
            self.pushed += some
            return
        try:
            self.send(some)
        except OSError:
            pass

    def live(self, stream):
        got = self.answer_of(stream)
        if got.is_over or not 0 < stream < self.next or stream % 2 == 0:
            raise Malformed(f"a frame on {got}")
        return got

    def on_headers(self, f):
        self.live(f.stream)
        part = f.payload
        if f.flags & PADDED:
            part = part[1 : -part[0] or None]
        if f.flags & WITH_PRIORITY:
            part = part[5:]
        self.block = (f.stream, f.flags & END_STREAM, bytearray(part))
        self.end_block(f)

    def on_continuation(self, f):
        if not self.block:
            raise Malformed("CONTINUATION of nothing")
        self.block[2].extend(f.payload)
        self.end_block(f)

    def end_block(self, f):
        if not f.flags & END_HEADERS:
            return
        stream, ends, block = self.block
        self.block = None
        try:
            fields = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in self.unpack(block)]
        except HPACKError as fault:
            raise Malformed(f"HPACK: {fault}") from None
        for name, value in fields:
            if name != name.lower() or value != value.strip(" \t") or set(value) & set("\r\n\0"):
                raise Malformed(f"field {name!r}: {value!r}")
        self.place(self.answer_of(stream), fields, bool(ends))

    def unpack(self, block):
        return self.decoder.decode(bytes(block), raw=True)

    def place(self, got, fields, ends):
        if got.status:
            if not ends or any(name.startswith(":") for name, _ in fields):
                raise Malformed(f"trailers {fields}, end {ends}")
            got.trailers, got.ended = fields, True
            return
        if [name for name, _ in fields if name.startswith(":")] != [":status"] or (
            fields[0][0] != ":status"
        ):
            raise Malformed(f"answer {fields}")
        status = int(fields[0][1])
        if 100 <= status < 200:
            check(not ends and status != 101, f"interim {status}, end {ends}")
            got.interim.append((status, fields[1:]))
            return
        got.status, got.fields, got.ended = status, fields[1:], ends

    def on_reset(self, f):
        got = self.answer_of(f.stream)
        if not 0 < f.stream < self.next + 2:
            raise Malformed(f"RST_STREAM of {f.stream}")
        if got.reset is None:
            got.reset = f.number

    def on_settings(self, f):
        if f.stream or len(f.payload) % 6 or (f.flags & ACK and f.payload):
            raise Malformed(f"SETTINGS {f}")
        if f.flags & ACK:
            self.settings_acks += 1
            return
        self.settings_came = True
        self.settings.update(struct.iter_unpack(">HI", f.payload))
        if self.polite:
            self.later(bare(SETTINGS, ACK))

    def on_ping(self, f):
        if f.flags & ACK:
            self.pings.append(f.payload)
        elif self.polite:
            self.later(bare(PING, ACK, 0, f.payload))

    def on_goaway(self, f):
        last, code = struct.unpack(">II", f.payload[:8])
        self.goaway = (last, code, f.payload[8:])

    # ---- waiting ----

    def read_until(self, truth, what, within=PATIENCE):
        end = time.monotonic() + within
        while not (found := truth()):
            left = end - time.monotonic()
            if left <= 0 or not self.read_frame(left):
                raise AssertionError(f"no {what} within {within} s")
        return found

    def read_answer(self, stream, within=PATIENCE):
        """Reads until the stream is over, whole or reset."""
        got = self.answer_of(stream)
        self.read_until(lambda: got.is_over, f"end of stream {stream}", within)
        return got

    def get(self, path="/", *fields, within=PATIENCE, **pseudo):
        return self.read_answer(self.ask(path, *fields, **pseudo), within)

    def expect_ok(self, path="/", *fields, within=PATIENCE, **pseudo):
        got = self.get(path, *fields, within=within, **pseudo)
        equal((got.status, got.reset), (200, None), path)
        return got

    def ping(self, payload=b"are you?", within=PATIENCE):
        """Once it is answered, what was sent before it has been read."""
        count = len(self.pings)
        self.frame(PING, 0, 0, payload)
        self.read_until(lambda: len(self.pings) > count, "PING answer", within)
        equal(self.pings[-1], payload, "PING")

    def expect_rst(self, stream, *codes, within=PATIENCE):
        got = self.read_answer(stream, within)
        check(got.reset is not None, f"{got} instead of RST_STREAM {codes}")
        check(not codes or got.reset in codes, f"{got} instead of {codes}")
        return got

    def read_to_end(self, within=PATIENCE):
        """Reads until the server closes; returns whether it did."""
        end = time.monotonic() + within
        try:
            while (left := end - time.monotonic()) > 0:
                self.read_frame(left)
        except Cut:
            return True
        return False

    def expect_goaway(self, *codes, within=PATIENCE):
        """GOAWAY with one of these codes, then the end of the connection."""
        closed = self.read_to_end(within)
        code = self.goaway and self.goaway[1]
        check(code in codes, f"GOAWAY {code} instead of {codes}, closed {closed}")
        check(closed, "GOAWAY, but the connection stays open")

    # ---- floods ----

    def pump(self, chunks, seconds=10, reads=True, rest=10):
        """Sends chunks as fast as they are taken, reading meanwhile (or not). Returns whether the
        server ended the connection, which ends the pump too; else it waits for that for `rest`
        seconds behind the last chunk."""
        chunks, end = iter(chunks), time.monotonic() + seconds
        self.sock.setblocking(False)
        self.pumps = True
        try:
            while time.monotonic() < end:
                if not self.pushed:
                    self.pushed += next(chunks, b"")
                    if not self.pushed:
                        if not reads:
                            break
                        end = min(end, time.monotonic() + rest)
                self.turn(reads, end)
        except (Cut, ConnectionError):
            self.drain()
            return True
        finally:
            self.pumps = False
            self.sock.settimeout(PATIENCE)
        return False

    def turn(self, reads, end):
        wait = max(0, min(0.1, end - time.monotonic()))
        on = [self.sock]
        can_read, can_write, _ = select.select(
            on if reads else [], on if self.pushed else [], [], wait
        )
        with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):  # half a record came, or left
            if can_read:
                self.feed(self.sock.recv(1 << 18))
                while found := self.take_frame():
                    self.understand(found)
            if can_write:
                del self.pushed[: self.sock.send(memoryview(bytes(self.pushed[: 1 << 16])))]

    def drain(self):
        """What came before a send failed."""
        self.sock.settimeout(0.2)
        try:
            while True:
                self.feed(self.sock.recv(1 << 18))
        except (Cut, OSError):
            pass
        while found := self.take_frame():
            self.understand(found)
