# SPDX-License-Identifier: Apache-2.0
"""Origins that speak TLS, and a CA of the scene's own that signs their certificates.

    with Authority() as ca, SecureOrigin(ca.serve("localhost")) as origin:
        with trusting(ca, origin) as larder:

Certificates are made by the openssl program, and TLS is spoken by Python's ssl: nothing here is
Larder's.
"""

import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from larder import Larder
from origin import Heard, Origin

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"openssl {words}: {done.stderr}")


class Authority:
    """A CA: `file` is its certificate."""

    def __init__(self, name="Scene CA"):
        self.folder = tempfile.TemporaryDirectory(prefix="larder-ca-")
        self.path = Path(self.folder.name)
        self.file, self.key = self.path / "ca.pem", self.path / "ca.key"
        self.count = 0
        words = ("-subj", f"/CN={name}", "-days", 30)
        openssl("req", "-x509", *CURVE, "-keyout", self.key, "-out", self.file, *words)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def sign(self, *names, days=30):
        """The files of a certificate for these names, and of its key; days < 0: it has expired."""
        self.count += 1
        stem = self.path / f"leaf{self.count}"
        cert, key, asked, more = (stem.with_suffix(s) for s in (".pem", ".key", ".csr", ".ext"))
        alt = ",".join(f"{'IP' if n[0].isdigit() else 'DNS'}:{n}" for n in names)
        more.write_text(f"subjectAltName={alt}\nbasicConstraints=critical,CA:FALSE\n")
        openssl("req", *CURVE, "-keyout", key, "-out", asked, "-subj", "/CN=leaf")
        issuer = ("-CA", self.file, "-CAkey", self.key, "-CAcreateserial")
        openssl("x509", "-req", "-in", asked, *issuer, "-days", days, "-extfile", more, "-out", cert)
        return cert, key

    def serve(self, *names, days=30, version=None):
        """A server's side of TLS that shows a certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign(*(names or ("localhost", "127.0.0.1")), days=days))
        if version:
            context.minimum_version = context.maximum_version = version
        return context


def self_signed(folder, name="localhost"):
    """A server's side of TLS whose certificate vouches for itself."""
    cert, key = folder / "self.pem", folder / "self.key"
    words = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", 30)
    openssl("req", "-x509", *CURVE, "-keyout", key, "-out", cert, *words)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


class SecureWire(Heard):
    """Ends its TLS in order, unless told not to."""

    notifies = True

    def close(self):
        if self.notifies and isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock.settimeout(1)
                self.sock.unwrap()
            except (OSError, ValueError):
                pass
        super().close()

    def cut(self):
        """Closes the connection without a word of TLS (RFC 8446 6.1), as a cut by somebody on the
        way would look."""
        self.notifies = False
        self.sock.close()


class SecureOrigin(Origin):
    """An origin behind TLS. Of each handshake: whether it `resumed` a session, and the certificate
    of `peers`; of each that failed, why it was `refused`."""

    def __init__(self, context, reply=None, port=0):
        self.context = context
        self.names, self.resumed, self.peers, self.refused = [], [], [], []
        context.sni_callback = lambda _, name, __: self.names.append(name)
        super().__init__(reply, port)
        self.url = f"https://127.0.0.1:{self.port}"
        self.by_name = f"https://localhost:{self.port}"

    def serve(self, wire):
        wire.__class__ = SecureWire
        try:
            wire.sock = self.context.wrap_socket(wire.sock, server_side=True)
        except (OSError, ssl.SSLError) as fault:
            with self.changed:
                self.refused.append(fault)
                self.changed.notify_all()
            wire.sock.close()
            return
        with self.changed:
            self.resumed.append(wire.sock.session_reused)
            self.peers.append(wire.sock.getpeercert())
            self.changed.notify_all()
        super().serve(wire)


class Mute:
    """Takes connections, and never shakes hands."""

    def __init__(self):
        self.door = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.door.getsockname()[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.door.close()


def trusting(ca, /, *origins, config=None, **tls):
    """A Larder whose origins have to show a certificate of this CA; None: of the system's. Its
    access log is access.log in its folder."""
    larder = Larder(*origins)
    larder.base["log"] = {"access": str(larder.path / "access.log")}
    told = ({"ca": str(ca.file)} if ca else {}) | {k.replace("_", "-"): v for k, v in tls.items()}
    config = dict(config or {})
    config["origin"] = config.get("origin", {}) | {"tls": told}
    larder.configure(config)
    return larder
