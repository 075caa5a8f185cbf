#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that two readers could understand in two ways are refused: an error, a closed
connection, and not a byte at the origin (RFC 9112 11.2)."""

import scene
from larder import Larder
from origin import Origin
from scene import case, check, equal, eventually
from wire import head

SMUGGLED = head("GET /smuggled HTTP/1.1", "Host: a")


def request(line="GET / HTTP/1.1", *fields, host="Host: a", ending="\r\n", body=b"hello"):
    """A request in which one thing is wrong."""
    lines = (line, *((host,) if host else ()), *fields, "", "")
    return ending.join(lines).encode("latin-1") + body


def post(*fields, version="HTTP/1.1"):
    return request(f"POST / {version}", *fields)


# RFC 9112 6, RFC 9112 6.3
LENGTHS = {
    "beside a coding": post("Content-Length: 5", "Transfer-Encoding: chunked"),
    "behind a coding": post("Transfer-Encoding: chunked", "Content-Length: 5"),
    "0 beside a coding": post("Content-Length: 0", "Transfer-Encoding: chunked"),
    "twice, the same": post("Content-Length: 5", "Content-Length: 5"),
    "twice, different": post("Content-Length: 5", "Content-Length: 6"),
    "twice, far apart": post("Content-Length: 5", "A: b", "C: d", "content-length: 0"),
    "a list of equals": post("Content-Length: 5, 5"),
    "a list": post("Content-Length: 5, 6"),
    "a list with a hole": post("Content-Length: 5,"),
    "plus": post("Content-Length: +5"),
    "minus": post("Content-Length: -5"),
    "minus 0": post("Content-Length: -0"),
    "two words": post("Content-Length: 5 5"),
    "hexadecimal": post("Content-Length: 0x5"),
    "hexadecimal digit": post("Content-Length: 5a"),
    "2 to the 64": post("Content-Length: 18446744073709551616"),
    "2 to the 64 and 5": post("Content-Length: 18446744073709551621"),
    "25 digits": post("Content-Length: 9999999999999999999999999"),
    "empty": post("Content-Length:"),
    "blank": post("Content-Length:  \t "),
    "a fraction": post("Content-Length: 5.0"),
    "an exponent": post("Content-Length: 5e0"),
    "quoted": post('Content-Length: "5"'),
    "with a parameter": post("Content-Length: 5;q=1"),
    "vertical tab": post("Content-Length: \x0b5"),
    "form feed behind": post("Content-Length: 5\x0c"),
    "no ASCII digit": post("Content-Length: \xb2"),
    "underscored": post("Content-Length: 1_0"),
}

# RFC 9112 6.1
CODINGS = {
    "gzip": (post("Transfer-Encoding: gzip"), 400, 501),
    "gzip, chunked": (post("Transfer-Encoding: gzip, chunked"), 400, 501),
    "gzip and chunked, two lines": (
        post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), 400, 501,
    ),
    "identity": (post("Transfer-Encoding: identity"), 400, 501),
    "chunked, identity": post("Transfer-Encoding: chunked, identity"),
    "identity, chunked": (post("Transfer-Encoding: identity, chunked"), 400, 501),
    "chunked and identity, two lines": post(
        "Transfer-Encoding: chunked", "Transfer-Encoding: identity"
    ),
    "chunked twice": post("Transfer-Encoding: chunked, chunked"),
    "chunked twice, two lines": post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "xchunked": (post("Transfer-Encoding: xchunked"), 400, 501),
    "chunkedx": (post("Transfer-Encoding: chunkedx"), 400, 501),
    "chunked;q=1": (post("Transfer-Encoding: chunked;q=1"), 400, 501),
    "two words": (post("Transfer-Encoding: chunked chunked"), 400, 501),
    "comma before": (post("Transfer-Encoding: ,chunked"), 400, 501),
    "comma behind": post("Transfer-Encoding: chunked,"),
    "vertical tab before": post("Transfer-Encoding: \x0bchunked"),
    "vertical tab behind": post("Transfer-Encoding: chunked\x0b"),
    "form feed": post("Transfer-Encoding: \x0cchunked"),
    "NUL": post("Transfer-Encoding: chunked\0"),
    "quoted": (post('Transfer-Encoding: "chunked"'), 400, 501),
    "empty": (post("Transfer-Encoding:"), 400, 501),
    "no-break space": (post("Transfer-Encoding: \xa0chunked"), 400, 501),
    "folded": post("Transfer-Encoding:\r\n chunked"),
    "folded behind": post("Transfer-Encoding: chunked\r\n , identity"),
    "space before the colon": post("Transfer-Encoding : chunked"),
    "space before the name": post(" Transfer-Encoding: chunked"),
    "bare LF before the name": post("X: y\nTransfer-Encoding: chunked"),
    "bare CR before the name": post("X: y\rTransfer-Encoding: chunked"),
    "in HTTP/1.0": post("Transfer-Encoding: chunked", version="HTTP/1.0"),
    "beside a length in HTTP/1.0": post(
        "Content-Length: 5", "Transfer-Encoding: chunked", version="HTTP/1.0"
    ),
}

# RFC 9112 5.1, RFC 9112 5.2, RFC 9110 5.6.2
FIELDS = {
    "folded by a space": request("GET / HTTP/1.1", "X: a", " b"),
    "folded by a tab": request("GET / HTTP/1.1", "X: a", "\tb"),
    "folded to nothing": request("GET / HTTP/1.1", "X: a", " "),
    "space before the first": request("GET / HTTP/1.1", host=" Host: a"),
    "bare CR in a value": request("GET / HTTP/1.1", "X: a\rb"),
    "bare CR at its end": request("GET / HTTP/1.1", "X: a\r"),
    "bare CR in a name": request("GET / HTTP/1.1", "X\rY: a"),
    "bare LF": request("GET / HTTP/1.1", "X: a\nY: b"),
    "only bare LF": request("GET / HTTP/1.1", ending="\n"),
    "bare LF at the head's end": request("GET / HTTP/1.1", "X: a")[:-7] + b"\n\r\n",
    "LF for the empty line": head("GET / HTTP/1.1", "Host: a")[:-2] + b"\n",
    "LF CR": request("GET / HTTP/1.1", "X: a", ending="\n\r"),
    "space before the colon": request("GET / HTTP/1.1", "X : a"),
    "tab before the colon": request("GET / HTTP/1.1", "X\t: a"),
    "no name": request("GET / HTTP/1.1", ": a"),
    "no colon": request("GET / HTTP/1.1", "no colon here"),
    "no colon, one word": request("GET / HTTP/1.1", "word"),
    "space in the name": request("GET / HTTP/1.1", "X Y: a"),
    **{
        f"{char!r} in the name": request("GET / HTTP/1.1", f"X{char}Y: a")
        for char in '()/<>?@[]{}\\"=,;\0\1\x1f\x7f\x80\xff'
    },
    **{
        f"{char!r} in the value": request("GET / HTTP/1.1", f"X: a{char}b")
        for char in "\0\1\x08\x0b\x0c\x0e\x1f\x7f"
    },
}

# RFC 9112 3, RFC 9112 2.2
LINES = {
    "space before": request(" GET / HTTP/1.1"),
    "two spaces before the target": request("GET  / HTTP/1.1"),
    "two spaces behind the target": request("GET /  HTTP/1.1"),
    "space behind": request("GET / HTTP/1.1 "),
    "tabs": request("GET\t/\tHTTP/1.1"),
    "space in the target": request("GET /a b HTTP/1.1"),
    "bare CR in the line": request("GET /\r HTTP/1.1"),
    "bare LF behind": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "no target": request("GET HTTP/1.1"),
    "an empty target": request("GET  HTTP/1.1"),
    "no version": request("GET /"),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400, 505),
    "HTTP/0.9 with a version": (request("GET / HTTP/0.9"), 400, 505),
    "HTTP/1.2": (request("GET / HTTP/1.2"), 400, 505),
    "HTTP/2.0": (request("GET / HTTP/2.0"), 505),
    "HTTP/3.0": (request("GET / HTTP/3.0"), 400, 505),
    "nearly the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!", 505),
    "HTTP/1": (request("GET / HTTP/1"), 400, 505),
    "HTTP/1.10": (request("GET / HTTP/1.10"), 400, 505),
    "HTTP/11": (request("GET / HTTP/11"), 400, 505),
    "HTTP/1,1": (request("GET / HTTP/1,1"), 400, 505),
    "HTTP/+1.1": (request("GET / HTTP/+1.1"), 400, 505),
    "lower case": request("GET / http/1.1"),
    "HTTP /1.1": request("GET / HTTP /1.1"),
    "HTTPS/1.1": request("GET / HTTPS/1.1"),
    "HTP/1.1": request("GET / HTP/1.1"),
    "RTSP/1.0": request("GET / RTSP/1.0"),
    "ICE/1.0": request("SOURCE / ICE/1.0"),
    "no token as method": request("G@T / HTTP/1.1"),
    "a bracket in the method": request("GET[ / HTTP/1.1"),
    "NUL in the method": request("GE\0T / HTTP/1.1"),
    "no ASCII in the method": request("G\xc9T / HTTP/1.1"),
    "a colon": request("GET: / HTTP/1.1"),
    "a status line": request("HTTP/1.1 200 OK"),
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\x0a\x01\x00\x00\x06\x03\x03\r\n\r\n",
    "noise": bytes(range(255, -1, -1)) + b"\r\n\r\n",
    "an empty line with a space": b" \r\n" + request(),
}

# RFC 9112 3.2.2, RFC 9112 3.2.3
TARGETS = {
    "a fragment": request("GET /x#y HTTP/1.1"),
    "a fragment behind a query": request("GET /x?y#z HTTP/1.1"),
    "authority alone": request("GET a:80 HTTP/1.1"),
    "a star": request("GET * HTTP/1.1"),
    "a star and more": request("OPTIONS *x HTTP/1.1"),
    "relative": request("GET x HTTP/1.1"),
    "a query alone": request("GET ?x HTTP/1.1"),
    **{
        f"{char!r} in the path": request(f"GET /x{char}y HTTP/1.1")
        for char in "\0\1\t\x0b\x0c\x1f\x7f"
    },
    "NUL in the query": request("GET /x?\0 HTTP/1.1"),
    "another host": request("GET http://b/ HTTP/1.1"),
    "another port": request("GET http://a:81/ HTTP/1.1"),
    "a port more": request("GET http://a/ HTTP/1.1", host="Host: a:81"),
    "userinfo": request("GET http://u@a/ HTTP/1.1"),
    "userinfo and password": request("GET http://u:p@a/ HTTP/1.1", host="Host: u:p@a"),
    "no host": request("GET http:///x HTTP/1.1"),
    "no host at all": request("GET http:// HTTP/1.1"),
    "one slash": request("GET http:/a/x HTTP/1.1"),
    "another scheme": request("GET ftp://a/x HTTP/1.1"),
    "a scheme not spoken here": request("GET https://a/x HTTP/1.1"),
    "no port": request("GET http://a:b/x HTTP/1.1", host="Host: a:b"),
    "a large port": request("GET http://a:65536/x HTTP/1.1", host="Host: a:65536"),
    "a fragment in a whole URI": request("GET http://a/x#y HTTP/1.1"),
    "no Host beside a whole URI": request("GET http://a/x HTTP/1.1", host=None),
}

# RFC 9112 3.2, RFC 9110 4.2.1
HOSTS = {
    "none": request(host=None),
    "twice, the same": request("GET / HTTP/1.1", "Host: a"),
    "twice, different": request("GET / HTTP/1.1", "Host: b"),
    "twice in HTTP/1.0": request("GET / HTTP/1.0", "Host: b"),
    "empty": request(host="Host:"),
    "only a port": request(host="Host: :80"),
    "userinfo": request(host="Host: u@a"),
    "space": request(host="Host: a b"),
    "a list": request(host="Host: a, b"),
    "a list without space": request(host="Host: a,b"),
    "a word as port": request(host="Host: a:b"),
    "a negative port": request(host="Host: a:-1"),
    "a signed port": request(host="Host: a:+80"),
    "a large port": request(host="Host: a:65536"),
    "a very large port": request(host="Host: a:18446744073709551696"),
    "two ports": request(host="Host: a:80:80"),
    "path": request(host="Host: a/b"),
    "query": request(host="Host: a?b"),
    "fragment": request(host="Host: a#b"),
    "backslash": request(host="Host: a\\b"),
    "a whole URI": request(host="Host: http://a"),
    "angles": request(host="Host: <a>"),
    "quoted": request(host='Host: "a"'),
    "open bracket": request(host="Host: [::1"),
    "no IPv6 in brackets": request(host="Host: [zz]"),
    "bare IPv6": request(host="Host: ::1"),
    "behind brackets": request(host="Host: [::1]x"),
    "vertical tab": request(host="Host: a\x0bb"),
    "NUL": request(host="Host: a\0"),
    "folded": request(host="Host: a\r\n b"),
    "space before the colon": request(host="Host : a"),
}

# RFC 9112 7.1, behind a sound head: what was sent before the fault may be on its way, but no
# request is whole.
CHUNKS = {
    "minus": b"-5\r\nhello\r\n",
    "plus": b"+5\r\nhello\r\n",
    "0x": b"0x5\r\nhello\r\n",
    "empty size": b"\r\nhello\r\n",
    "only an extension": b";a=b\r\nhello\r\n",
    "no digit": b"g\r\nhello\r\n",
    "space before": b" 5\r\nhello\r\n",
    "digits apart": b"5 5\r\nhello\r\n",
    "underscored": b"0_5\r\nhello\r\n",
    "2 to the 64": b"10000000000000000\r\nhello\r\n",
    "2 to the 64 and 5": b"10000000000000005\r\nhello\r\n",
    "20 digits": b"ffffffffffffffffffff\r\nhello\r\n",
    "too short": b"4\r\nhello\r\n",
    "too long": b"6\r\nhello\r\n\r\n",
    "no CRLF behind": b"5\r\nhello0\r\n\r\n",
    "LF behind": b"5\r\nhello\n0\r\n\r\n",
    "CR behind": b"5\r\nhello\r0\r\n\r\n",
    "LF behind the size": b"5\nhello\r\n",
    "CR behind the size": b"5\rhello\r\n",
    "LF behind an extension": b"5;a\nhello\r\n",
    "CR in an extension": b"5;a\rb\r\nhello\r\n",
    "NUL in an extension": b"5;a\0\r\nhello\r\n",
    "LF in a quoted extension": b'5;a="\n"\r\nhello\r\n',
    "LF behind the last": b"5\r\nhello\r\n0\n\r\n",
    "LF for the end": b"5\r\nhello\r\n0\r\n\n",
    "CR for the end": b"5\r\nhello\r\n0\r\n\rx",
    "CR for the end, behind a trailer": b"5\r\nhello\r\n0\r\nA: b\r\n\rx",
    "folded trailer": b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n",
    "trailer without a colon": b"5\r\nhello\r\n0\r\nabc\r\n\r\n",
    "trailer, space before the colon": b"5\r\nhello\r\n0\r\nA : b\r\n\r\n",
    "trailer, bare LF": b"5\r\nhello\r\n0\r\nA: b\nC: d\r\n\r\n",
    "trailer, bare CR": b"5\r\nhello\r\n0\r\nA: b\rC: d\r\n\r\n",
    "trailer, NUL": b"5\r\nhello\r\n0\r\nA: \0\r\n\r\n",
}


def refused(larder, request, statuses):
    with larder.connect() as client:
        client.send(request, SMUGGLED)
        got = client.read_answer()
        check(got.status in statuses, f"{got.status} instead of {statuses}")
        equal(got.get("Connection"), "close")
        equal(client.read_rest(), b"", "after the answer")


def refuse_all(table):
    with Origin() as origin, Larder(origin) as larder:
        for name, row in table.items():
            request, *statuses = row if isinstance(row, tuple) else (row, 400)
            with case(name):
                origin.forget()
                refused(larder, request, statuses)
                equal(origin.heard, b"", "at the origin")
        counted = sum(
            larder.metric("http_refused_total", why=why) for why in ("bad-request", "other")
        )
        equal(counted, len(table), "http_refused_total")
        equal(larder.get().status, 200, "an ordinary request after all that")


def nothing_whole(origin):
    check(not origin.requests and not origin.faults, f"taken as whole: {origin.heard}")
    check(b"smuggled" not in origin.heard, f"smuggled: {origin.heard}")


def test_lengths():
    refuse_all(LENGTHS)


def test_codings():
    refuse_all(CODINGS)


def test_fields():
    refuse_all(FIELDS)


def test_request_lines():
    refuse_all(LINES)


def test_targets():
    refuse_all(TARGETS)


def test_hosts():
    refuse_all(HOSTS)


def test_chunks():
    with Origin() as origin, Larder(origin) as larder:
        for name, body in CHUNKS.items():
            with case(name):
                origin.forget()
                refused(larder, post("Transfer-Encoding: chunked")[:-5] + body, [400])
                nothing_whole(origin)


def test_chunks_one_by_one():
    """The same faults, after the origin has begun to take the body."""
    with Origin() as origin, Larder(origin) as larder:
        for name, body in CHUNKS.items():
            with case(name), larder.connect() as client:
                origin.forget()
                client.send(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))
                client.send(b"3\r\nabc\r\n")
                eventually(lambda: b"abc" in origin.heard, "the origin did not get the first chunk")
                client.send(body, SMUGGLED)
                equal(client.read_answer().status, 400)
                equal(client.read_rest(), b"", "after the answer")
                nothing_whole(origin)


scene.run()
