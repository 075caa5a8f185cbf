# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 as frames on a socket: a client that says what its scene wants said, right or wrong.

    with H2(larder) as h2:
        h2.ask(1, get("/x"))
        equal(h2.answer(1).status, 200)

Debian's hyperframe and hpack pack and unpack; nothing is checked before it is sent. Answers are
read strictly as far as a scene could overlook it: no END_STREAM where a reset came, no window
overrun.
"""

import socket
from dataclasses import dataclass, field

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATIENCE = 20
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11


def request(method, path, *fields, authority="a"):
    pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority)]
    return pseudo + list(fields)


def get(path, *fields):
    return request("GET", path, *fields)


@dataclass
class Answer:
    """What came on a stream so far."""

    heads: list = field(default_factory=list)  # field lists: interim, final, trailers
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    def has_final(self):
        return any(int(dict(head).get(":status", 0)) >= 200 for head in self.heads)

    @property
    def final(self):
        return next(head for head in self.heads if int(dict(head).get(":status", 0)) >= 200)

    @property
    def status(self):
        return int(dict(self.final)[":status"])

    @property
    def interim(self):
        return [head for head in self.heads if dict(head).get(":status", "").startswith("1")]

    @property
    def trailers(self):
        return [pair for head in self.heads for pair in head if ":status" not in dict(head)]

    def get(self, name):
        return dict(self.final).get(name)

    @property
    def is_over(self):
        return self.ended or self.reset is not None


class H2:
    def __init__(self, larder, settings=None, window=1 << 30, prior=PREFACE):
        self.sock = socket.create_connection(("127.0.0.1", larder.port))
        self.sock.settimeout(PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder, self.decoder = Encoder(), Decoder()
        self.kept = b""
        self.answers = {}
        self.goaways, self.pongs, self.settings, self.updates = [], [], {}, {}
        self.is_closed = False
        settings = SettingsFrame(0, settings={4: 1 << 30} if settings is None else settings)
        opening = settings.serialize()
        if window:
            opening += WindowUpdateFrame(0, window_increment=window).serialize()
        self.sock.sendall(prior + opening)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # ---- saying ----

    def send(self, *frames):
        """Frames, or their bytes. False when the peer is gone."""
        try:
            self.sock.sendall(b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames))
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def head(self, stream, fields, ends=True, whole=True):
        """HEADERS, and CONTINUATIONs where it is too large for one frame."""
        block = self.encoder.encode(fields)
        parts = [block[at : at + 16384] for at in range(0, len(block), 16384)] or [b""]
        frames = [HeadersFrame(stream, parts[0], flags=["END_STREAM"] if ends else [])]
        frames += [ContinuationFrame(stream, part) for part in parts[1:]]
        if whole:
            frames[-1].flags.add("END_HEADERS")
        return b"".join(frame.serialize() for frame in frames)

    def ask(self, stream, fields, body=None, trailers=None):
        ends = body is None and trailers is None
        self.send(self.head(stream, fields, ends))
        if body is not None:
            self.send_body(stream, body, trailers is None)
        if trailers is not None:
            self.send(self.head(stream, trailers))

    def data(self, stream, data, ends=False):
        return DataFrame(stream, data, flags=["END_STREAM"] if ends else [])

    def send_body(self, stream, body, ends=True):
        """Keeps to the peer's windows."""
        sent = 0
        while sent < len(body):
            room = min(self.room(stream), self.room(0), 16384, len(body) - sent)
            if room <= 0:
                self.read()
                continue
            self.updates[stream] = self.updates.get(stream, 0) - room
            self.updates[0] = self.updates.get(0, 0) - room
            last = ends and sent + room == len(body)
            self.send(self.data(stream, body[sent : sent + room], last))
            sent += room
        if not body and ends:
            self.send(self.data(stream, b"", True))

    def room(self, stream):
        return (self.settings.get(4, 65535) if stream else 65535) + self.updates.get(stream, 0)

    # ---- hearing ----

    def read_frame(self):
        while len(self.kept) < 9 or len(self.kept) < 9 + int.from_bytes(self.kept[:3], "big"):
            try:
                some = self.sock.recv(1 << 16)
            except ConnectionResetError:
                some = b""
            if not some:
                self.is_closed = True
                return None
            self.kept += some
        end = 9 + int.from_bytes(self.kept[:3], "big")
        frame, _ = Frame.parse_frame_header(memoryview(self.kept[:9]))
        frame.parse_body(memoryview(self.kept[9:end]))
        self.kept = self.kept[end:]
        return frame

    def read(self):
        """Takes the next frame in; False at the end."""
        frame = self.read_frame()
        if frame is None:
            return False
        answer = self.answers.setdefault(frame.stream_id, Answer()) if frame.stream_id else None
        if answer and answer.is_over and not isinstance(frame, (WindowUpdateFrame, RstStreamFrame)):
            raise AssertionError(f"{frame} after the end")
        if isinstance(frame, HeadersFrame):
            block = frame.data
            while "END_HEADERS" not in frame.flags:
                more = self.read_frame()
                assert isinstance(more, ContinuationFrame), more
                block, frame.flags = block + more.data, frame.flags | more.flags
            answer.heads.append(self.decoder.decode(block))
        elif isinstance(frame, DataFrame):
            answer.body += frame.data
        elif isinstance(frame, RstStreamFrame):
            answer.reset = frame.error_code
        elif isinstance(frame, WindowUpdateFrame):
            stream = frame.stream_id
            self.updates[stream] = self.updates.get(stream, 0) + frame.window_increment
        elif isinstance(frame, GoAwayFrame):
            self.goaways.append((frame.last_stream_id, frame.error_code))
        elif isinstance(frame, PingFrame):
            self.pongs.append(frame.opaque_data)
            if "ACK" not in frame.flags:
                self.send(PingFrame(0, frame.opaque_data, flags=["ACK"]))
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.settings |= frame.settings
            self.send(SettingsFrame(0, flags=["ACK"]))
        if answer and "END_STREAM" in frame.flags and not isinstance(frame, RstStreamFrame):
            answer.ended = True
        return True

    def until(self, truth):
        """Reads until a function says so, or the end."""
        while not truth() and self.read():
            pass

    def answer(self, stream):
        """The whole answer of a stream, or what there is of it when it was cut."""
        self.until(lambda: stream in self.answers and self.answers[stream].is_over)
        return self.answers.get(stream, Answer())

    def verdict(self, stream):
        """ "200", "reset 1" or "goaway 1": what became of a request."""
        self.until(lambda: self.goaways or stream in self.answers and self.answers[stream].is_over)
        answer = self.answers.get(stream, Answer())
        if answer.has_final():
            return str(answer.status)
        if answer.reset is not None:
            return f"reset {answer.reset}"
        return f"goaway {self.goaways[-1][1]}" if self.goaways else "closed"

    def ending(self):
        """Reads to the end of the connection; the code of its last GOAWAY."""
        while self.read():
            pass
        return self.goaways[-1][1] if self.goaways else None
