# SPDX-License-Identifier: Apache-2.0
"""What TLS scenes need: an authority that signs certificates, a Larder with an https listener, and
clients of it.

    with Authority() as ca, Origin() as origin, SecureLarder(origin, pairs=[ca.pair("a")]) as larder:
        with larder.secure(ca, "a") as wire: ...

Certificates are made by the openssl command: nothing here is shared with Larder.
"""

import os
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from larder import Larder, free_port
from wire import Wire, head

EXTENSIONS = """
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
KEYS = {
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
    "ed25519": ["-newkey", "ed25519"],
}


def openssl(*words, **more):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, timeout=60, **more)
    if done.returncode != 0:
        raise AssertionError(f"openssl {words[0]}: {done.stderr.decode()}")
    return done.stdout


class Authority:
    def __init__(self, name="Scene CA"):
        self.folder = tempfile.TemporaryDirectory(prefix="larder-ca-")
        self.path = Path(self.folder.name)
        self.file, self.key = self.path / "ca.pem", self.path / "ca.key"
        self.count, self.revoked = 0, []
        self.write_extensions("DNS:ca")
        self.request(self.key, self.path / "ca.csr", name, "ec")
        self.sign(self.path / "ca.csr", self.file, "ca", "-signkey", self.key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def write_extensions(self, names):
        (self.path / "ext").write_text(EXTENSIONS.format(names=names))

    def request(self, key, to, subject, kind):
        new = ["req", "-new", "-nodes", *KEYS[kind], "-keyout", key, "-out", to]
        openssl(*new, "-subj", f"/CN={subject}")

    def sign(self, request, to, section, *by, days=90):
        words = ["x509", "-req", "-in", request, "-out", to, "-sha256", "-days", days, *by]
        openssl(*words, "-extfile", self.path / "ext", "-extensions", section)

    def pair(self, *names, kind="ec", days=90, to=None):
        """A certificate for these names and its key, as (cert, key)."""
        self.count += 1
        stem = self.path / (to or f"leaf{self.count}")
        cert, key, request = f"{stem}.pem", f"{stem}.key", f"{stem}.csr"
        ip = [name for name in names if name.replace(".", "").isdigit()]
        self.write_extensions(",".join(f"{'IP' if n in ip else 'DNS'}:{n}" for n in names))
        self.request(key, request, names[0], kind)
        serial = ["-set_serial", self.count + 1000]
        self.sign(request, cert, "leaf", "-CA", self.file, "-CAkey", self.key, *serial, days=days)
        return cert, key

    def crl(self, *revoked):
        """A revocation list of these certificates."""
        index, conf, to = (self.path / name for name in ("index", "crl.conf", "crl.pem"))
        index.write_text("")
        conf.write_text(
            f"[ca]\ndefault_ca = d\n[d]\ndatabase = {index}\ndefault_md = sha256\n"
            "default_crl_days = 30\n"
        )
        who = ["-config", conf, "-cert", self.file, "-keyfile", self.key]
        for cert in revoked:
            openssl("ca", *who, "-revoke", cert)
        openssl("ca", *who, "-gencrl", "-out", to)
        return str(to)

    def context(self, alpn=("http/1.1",), pair=None):
        """A client that trusts this authority."""
        context = ssl.create_default_context(cafile=self.file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if pair:
            context.load_cert_chain(*pair)
        return context


class SecureLarder(Larder):
    """`pairs`: certificates with their keys; `tls`: more keys of tls; `listen`: more of the https
    listener."""

    def __init__(self, *origins, pairs, tls=None, listen=None, config=None, **more):
        self.tls_port = int(os.environ.get("PORT3") or free_port())
        self.pairs, self.tls, self.listen = pairs, tls or {}, listen or {}
        super().__init__(*origins, config=config, **more)

    def configure(self, config):
        certificates = [{"cert": str(cert), "key": str(key)} for cert, key in self.pairs]
        self.base["tls"] = {"certificates": certificates} | self.tls
        self.base["listen"] = [
            f"http://127.0.0.1:{self.port}",
            {"address": f"https://127.0.0.1:{self.tls_port}"} | self.listen,
        ]
        super().configure(config)

    def secure(self, authority, name="shop.example", context=None, session=None, **how):
        """A Wire over TLS. `name`: for SNI and the check; None = neither."""
        context = context or authority.context(**how)
        if not name:
            context.check_hostname = False
        raw = socket.create_connection(("127.0.0.1", self.tls_port), 20)
        try:
            return Wire(context.wrap_socket(raw, server_hostname=name, session=session))
        except Exception:
            raw.close()
            raise

    def fetch(self, authority, target="/", *fields, name="shop.example", host=None, method="GET"):
        """One request over TLS on its own connection."""
        with self.secure(authority, name) as wire:
            wire.send(head(f"{method} {target} HTTP/1.1", f"Host: {host or name}", *fields))
            return wire.read_answer(method)

    def openssl_client(self, *words, send=b"", name="shop.example"):
        """What openssl s_client says and gets."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.tls_port}"]
        command += ["-servername", name] if name else ["-noservername"]
        done = subprocess.run([*command, *map(str, words)], input=send, capture_output=True, timeout=30)
        return (done.stdout + done.stderr).decode(errors="replace")

    def ctl(self, *words):
        """larderctl: its exit code, and what it says."""
        program = os.environ.get("LARDERCTL") or str(Path(__file__).parents[3] / "build/larderctl")
        admin = f"127.0.0.1:{self.admin_port}"
        done = subprocess.run([program, "--admin", admin, *words], capture_output=True, timeout=30)
        return done.returncode, (done.stdout + done.stderr).decode()
