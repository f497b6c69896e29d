"""Puts answers on the wire, the broken ones too."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.sandbox.vendor.delivery import asked_range

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from tests.sandbox.vendor.delivery import Delivery
    from tests.sandbox.vendor.messages import Answer, Received
    from tests.sandbox.vendor.server import Connection

NO_BODY = {204, 304}


def head(status: int, headers: Mapping[str, str], *, close: bool = False) -> bytes:
    """Give the status line and the headers."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Scripted"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def send_small(connection: Connection, received: Received, answer: Answer) -> None:
    """Send an answer that has its body at hand."""
    body = b"" if answer.status in NO_BODY else answer.body
    headers = dict(answer.headers)
    if answer.status not in NO_BODY:
        headers.setdefault("Content-Length", str(len(body)))
    start = head(answer.status, headers, close=connection.close_connection)
    connection.write(start + (b"" if received.method == "HEAD" else body))
    if headers.get("Content-Length", str(len(body))) != str(len(body)):
        connection.end()  # a scripted lie about the length: the client must not wait for ever


class Sender:
    """Sends one blob over one connection as its delivery says. `progress` hears of every byte count."""

    def __init__(
        self,
        connection: Connection,
        received: Received,
        answer: Answer,
        delivery: Delivery,
        stopping: threading.Event,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        if answer.file is None:
            raise ValueError("this answer has no file")
        self.connection = connection
        self.received = received
        self.blob = delivery.blob(answer.file)
        self.delivery = delivery if answer.resumable else replace(delivery, ranges=False, etag=None)
        self.framing = delivery.framing or answer.framing
        if self.blob.size is None and self.framing == "length":
            self.framing = "chunked"
        self.headers = answer.headers
        self.stopping = stopping
        self.progress = progress
        self.range = asked_range(received.headers, self.blob, self.delivery)

    @property
    def status(self) -> int:
        """200, 206 or 416, or what the delivery orders."""
        natural = 200 if self.range is None else 416 if self.range == "unsatisfiable" else 206
        return self.delivery.status or natural

    def send(self) -> None:
        """Send headers and body; an ordered cut ends the connection."""
        if self.range == "unsatisfiable":
            headers = {"Content-Range": f"bytes */{self.blob.size}", "Content-Length": "0"}
            self.connection.write(head(416, headers))
            return
        start, stop = self.range or (0, self.blob.size)
        self.connection.write(head(self.status, self._headers(start, stop), close=self.framing == "close"))
        if self.received.method == "HEAD":
            return
        whole = self._body(start, stop)
        if self.framing == "chunked" and whole:
            self.connection.write(b"0\r\n\r\n")
        if not whole or self.framing == "close" or self.delivery.declared is not None:
            self.connection.end(reset=not whole and self.delivery.cut_reset)

    def _headers(self, start: int, stop: int | None) -> dict[str, str]:
        delivery = self.delivery
        headers = dict(self.headers)
        if delivery.content_type:
            headers["Content-Type"] = delivery.content_type
        if tag := delivery.entity_tag(self.blob):
            headers["ETag"] = tag
        if delivery.ranges:
            headers["Accept-Ranges"] = "bytes"
        if self.range is not None and stop is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{self.blob.size}"
        if delivery.encoding:
            headers["Content-Encoding"] = delivery.encoding
        if self.framing == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        elif self.framing == "length" and stop is not None:
            length = stop - start if delivery.declared is None else delivery.declared
            headers["Content-Length"] = str(length)
        return headers | dict(delivery.headers)

    def _body(self, start: int, stop: int | None) -> bool:
        """Send the body; whether all of it went out."""
        sent = 0
        cut = self.delivery.cut
        self.progress(0)
        for piece in self.delivery.pieces(self.blob, start, stop):
            room = None if cut is None else cut - sent
            part = piece if room is None else piece[:room]
            if part:
                self._write(part)
                sent += len(part)
                self.progress(sent)
            if self.stopping.is_set() or (cut is not None and sent >= cut):
                return False
        return cut is None

    def _write(self, part: bytes | memoryview) -> None:
        rate = self.delivery.rate
        if rate is None:
            self._frame(part)
            return
        for offset in range(0, len(part), self.delivery.piece):
            piece = part[offset : offset + self.delivery.piece]
            self._frame(piece)
            if self.stopping.wait(len(piece) / rate):
                return

    def _frame(self, piece: bytes | memoryview) -> None:
        if self.framing != "chunked":
            self.connection.write(piece)
            return
        self.connection.write(b"%x\r\n" % len(piece))
        self.connection.write(piece)
        self.connection.write(b"\r\n")
