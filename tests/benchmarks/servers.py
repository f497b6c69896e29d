"""Both ends of a fetch, over HTTPS on loopback: a source of files made on the fly, an S3 that keeps nothing.

`python -m tests.benchmarks.servers source|sink CERTIFICATE` prints its port, serves until its stdin closes.
"""

from __future__ import annotations

import io
import random
import re
import socket
import socketserver
import ssl
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.sandbox.vendor.big_zips import LIMIT, Entry, RepeatingBlob, big_zip, central_header, end_records

SCRATCH_BYTES: Final = 256 * 1024
NOISE_BYTES: Final = 4 << 20
PATH: Final = re.compile(r"/(noise|stored|deflated|entries)/([0-9]+)\.zip")


class Handler(BaseHTTPRequestHandler):
    """Keeps connections alive and says nothing of them."""

    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # one write an answer

    def handle_expect_100(self) -> bool:
        """Ask for the body at once."""
        told = super().handle_expect_100()
        self.wfile.flush()
        return told

    def log_message(self, *_: Any) -> None:
        """Say nothing: a line a request is a good part of a small one's cost."""


class Source(Handler):
    """`GET /deflated/BYTES.zip`, `/stored/…`: ZIPs of CSV of about that size; `/noise/…`: stored noise.

    `/entries/COUNT.zip`: a ZIP of so many short files.
    """

    blobs: Final[dict[str, RepeatingBlob]] = {}

    def do_GET(self) -> None:
        found = PATH.fullmatch(urlsplit(self.path).path)
        if not found:
            self.send_error(404)
            return
        if self.path not in self.blobs:
            self.blobs[self.path] = blob_of(found[1], int(found[2]))
        blob = self.blobs[self.path]
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(blob.size))
        self.send_header("ETag", f'"{blob.tag}"')
        self.end_headers()
        self.wfile.flush()
        for chunk in blob.chunks():
            self.connection.sendall(chunk)


def blob_of(kind: str, size: int) -> RepeatingBlob:
    """Give a ZIP of a kind, of about `size` bytes; of `size` entries."""
    if kind == "entries":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(size):
                archive.writestr(f"acme/log-{number:032x}.csv", f"id,text\n{number},call\n")
        return RepeatingBlob([(file.getvalue(), 1)], size, f"entries-{size}")
    if kind != "noise":
        return big_zip(size, deflated=kind == "deflated")
    noise = random.Random(size).randbytes(min(size, NOISE_BYTES))  # noqa: S311 - no secret
    count = max(1, size // NOISE_BYTES)
    entry = Entry("noise.bin", count, b"", noise, b"", noise, b"")
    info = entry.info(deflated=False)
    local = info.FileHeader(zip64=entry.size >= LIMIT)
    directory = central_header(info, 0)
    end = directory + end_records(1, len(directory), len(local) + entry.packed_size)
    return RepeatingBlob([(local, 1), (noise, count), (end, 1)], 0, f"noise-{size}")


class Sink(Handler):
    """S3 as far as an upload goes: it reads what it is sent, and forgets it."""

    def do_PUT(self) -> None:
        self.drain()
        self.answer(headers={"ETag": '"0"'})

    def do_POST(self) -> None:
        self.drain()
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if "uploads" in asked:
            self.answer(
                "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            )
        else:
            self.answer(
                "<CompleteMultipartUploadResult><ETag>&quot;0&quot;</ETag></CompleteMultipartUploadResult>"
            )

    def do_GET(self) -> None:
        self.answer("<ListMultipartUploadsResult></ListMultipartUploadsResult>")

    def do_HEAD(self) -> None:
        self.answer(status=404)

    def do_DELETE(self) -> None:
        self.answer(status=204)

    def answer(self, text: str = "", status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer with a piece of XML."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def drain(self) -> None:
        """Read the body, of a told length or in chunks."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            self.read(int(self.headers.get("Content-Length", 0)))

    def read(self, size: int) -> None:
        scratch = memoryview(bytearray(min(size, SCRATCH_BYTES)))
        while size:
            got = self.rfile.readinto(scratch[: min(size, len(scratch))])
            if not got:
                raise ConnectionError("the body ended early")
            size -= got


class Server(socketserver.ThreadingTCPServer):
    """HTTPS on a free loopback port, a thread a connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[Handler], certificate: str) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._handler = handler
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self._context.wrap_socket(request, server_side=True) as secured:
            secured.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._handler(secured, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no fault of the measurement."""


def main() -> None:
    role, certificate = sys.argv[1:]
    server = Server({"source": Source, "sink": Sink}[role], certificate)
    print(server.server_address[1], flush=True)  # noqa: T201 - whoever started it reads that
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
