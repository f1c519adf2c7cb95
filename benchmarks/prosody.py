"""Prosody's offline messages, as a peer of stored mail: a server of its own on loopback, and a small client over TLS.

A message counts once the server has acknowledged it (XEP-0198), which it does after it has appended it to the
recipient's file: one copy, not synced.  Nothing is sealed.
"""

import base64
import datetime
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.costs import cpu_ms

HOST, ADDRESS = "localhost", "127.0.0.1"
PASSWORD = "a password of nobody"
START_SECONDS = 20.0
READ_SECONDS = 60.0
CONFIGURATION = """
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ warn = "{folder}/log" }}
run_as_root = true
modules_enabled = {{ "saslauth", "offline", "smacks", "message", "presence", "iq", "roster" }}
modules_disabled = {{ "s2s" }}
authentication = "internal_plain"
storage = "internal"
c2s_ports = {{ }}
c2s_direct_tls_ports = {{ {port} }}
c2s_direct_tls_interfaces = {{ "127.0.0.1" }}
network_settings = {{ nodelay = true }}
c2s_direct_tls_ssl = {{ key = "{folder}/key.pem", certificate = "{folder}/certificate.pem" }}
VirtualHost "localhost"
"""


class Prosody:
    """One server in a folder of its own; `close` leaves nothing."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="prosody-"))
        with socket.socket() as taken:
            taken.bind((ADDRESS, 0))
            self._port = taken.getsockname()[1]
        self._write_certificate()
        accounts = self._folder / "data" / HOST / "accounts"
        accounts.mkdir(parents=True)
        for user in ("alice", "bob"):
            (accounts / f"{user}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}"; }};\n')
        file = self._folder / "prosody.cfg.lua"
        file.write_text(CONFIGURATION.format(folder=self._folder, port=self._port))
        self._process = subprocess.Popen(
            ["prosody", "-F", "--config", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    @staticmethod
    def is_installed() -> bool:
        """Whether Debian's package `prosody` is there."""
        return shutil.which("prosody") is not None

    def _write_certificate(self) -> None:
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        signed = (
            made.serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (self._folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        (self._folder / "certificate.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection((ADDRESS, self._port)).close()
                return
            except OSError:
                if time.monotonic() > until or self._process.poll() is not None:
                    self.close()
                    raise
                time.sleep(0.05)

    def cpu_ms(self) -> float:
        """Processor time of the server so far."""
        return cpu_ms(self._process.pid)

    def store(self, width: int, seconds: float, size: int) -> dict[str, float]:
        """Alice writes to bob, who is away, with so many messages under way; figures of each message."""
        with Session(self._port, "alice") as alice:
            alice.acknowledged_messages()
            began, before, sent, done = time.perf_counter(), self.cpu_ms(), 0, 0
            text = "x" * size
            while (now := time.perf_counter() - began) < seconds or done < sent:
                if now < seconds:
                    new = width - (sent - done)
                    message = (
                        f"<message to='bob@{HOST}' type='chat'><body>{text}</body></message><r xmlns='urn:xmpp:sm:3'/>"
                    )
                    alice.write(message * new)
                    sent += new
                done = alice.acknowledged(done)
            return {"per_second": done / (time.perf_counter() - began), "cpu, ms": (self.cpu_ms() - before) / done}

    def fetch(self) -> dict[str, float]:
        """Bob comes; messages a second from the connection to the last one."""
        kept = self._folder / "data" / HOST / "offline" / "bob.list"
        count = kept.read_bytes().count(b"<body>") or kept.read_bytes().count(b'["name"] = "body"')
        began, before = time.perf_counter(), self.cpu_ms()
        with Session(self._port, "bob") as bob:
            bob.write("<presence/>")
            bob.read(b"</body>", count)
            whole = time.perf_counter() - began
        return {"per_second": count / whole, "messages": count, "cpu, ms": (self.cpu_ms() - before) / max(1, count)}

    def close(self) -> None:
        """End it and remove its folder."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class Session:
    """One client, logged in."""

    def __init__(self, port: int, user: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection((ADDRESS, port), timeout=READ_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._held = context.wrap_socket(plain, server_hostname=HOST), b""
        proof = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self._open()
        self.write(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{proof}</auth>")
        self.read(b"<success", 1)
        self._open()
        self.write("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        self.read(b"</iq>", 1)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.write("</stream:stream>")
        self._socket.close()

    def _open(self) -> None:
        self.write(
            f"<stream:stream to='{HOST}' version='1.0' xmlns='jabber:client'"
            " xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        self.read(b"</stream:features>", 1)

    def acknowledged_messages(self) -> None:
        """Have the server acknowledge what it has taken."""
        self.write("<enable xmlns='urn:xmpp:sm:3'/>")
        self.read(b"<enabled", 1)

    def write(self, text: str) -> None:
        """Send."""
        if text:
            self._socket.sendall(text.encode())

    def read(self, wanted: bytes, count: int) -> None:
        """Wait until this has come so often; what came before is forgotten."""
        found = 0
        while found < count:
            data = self._socket.recv(65_536)
            if not data:
                raise OSError("The server has hung up.")
            whole = self._held + data
            found += whole.count(wanted)
            self._held = whole[whole.rfind(wanted) + len(wanted) :] if wanted in whole else whole
            self._held = self._held[-len(wanted) :]
        self._held = b""

    def acknowledged(self, before: int) -> int:
        """How many messages the server has acknowledged; waits for news."""
        self._held += self._socket.recv(65_536)
        numbers = [int(each.split(b"'")[1]) for each in self._held.split(b" h=")[1:] if each.count(b"'") >= 2]
        self._held = self._held[self._held.rfind(b"<") :]
        return max([before, *numbers])
