"""TLS that takes all that has come at once, and keeps a download's pace while it waits.

`ssl.SSLSocket` asks the kernel twice for each record, of 16 KiB at most, and gives out one record a read.
Here one question brings up to `SIP_BYTES`, and one read gives out every record among them. How TLS is spoken
and verified stays OpenSSL's and urllib3's.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

from urllib3.util.ssltransport import SSLTransport

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from logferry.download.throughput import ThroughputGuard

SIP_BYTES: Final = 128 * 1024
"""The most that is taken from the kernel at once; more saves nothing, and leaves the processor's cache."""


class PacedSocket(socket.socket):
    """A TCP connection, taken over from `sock`, whose every read keeps the pace.

    The layers above read until their buffers are full: a trickle would hold them for hours. Only here is each
    arrival seen. Reads raise TooSlowError and OutOfTimeError besides what sockets raise.
    """

    def __init__(self, sock: socket.socket, pace: ThroughputGuard) -> None:
        timeout = sock.gettimeout()
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self.settimeout(timeout)
        self._pace = pace

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive as sockets do: the handshake is read with it."""
        began = self._begin()
        data = super().recv(bufsize, flags)
        self._end(began, len(data))
        return data

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive as sockets do: all that follows is read with it."""
        began = self._begin()
        count = super().recv_into(buffer, nbytes, flags)
        self._end(began, count)
        return count

    def _begin(self) -> float:
        now = self._pace.budget.clock()
        patience = self._pace.patience(now)
        if patience != self.gettimeout():  # urllib3 sets another with each request
            self.settimeout(patience)
        return now

    def _end(self, began: float, count: int) -> None:
        self._pace.note(count, self._pace.budget.clock() - began)


class Transport(SSLTransport):
    """A TLS connection over the TCP connection that `sock` is and it takes over; the handshake is done.

    Verified as `context` says. The end of the connection counts as the end of what was sent even where TLS
    does not confirm it, as with `ssl.SSLSocket`: whether that is the file's end, HTTP and the file say.
    """

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, server_hostname: str, pace: ThroughputGuard
    ) -> None:
        if not server_hostname:  # `ssl.SSLContext.wrap_bio` would verify no name then
            raise ValueError("TLS without the name of the server verifies nothing")
        self._pace = pace
        self.cut = False
        """Whether the connection ended without TLS saying so."""
        self._sip = memoryview(bytearray(SIP_BYTES))
        self._failure: tuple[Any, ...] | None = None
        """What an `ssl.SSLError` said; itself, it would hold on to all of this."""
        wire = PacedSocket(sock, pace)
        try:
            super().__init__(wire, context, server_hostname)
        except BaseException:
            wire.close()
            raise

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ARG002 - as sockets have it
        """Fill the start of `buffer` with all that is at hand; wait where nothing is; 0 at the end."""
        with memoryview(buffer)[: nbytes or None] as view:
            while (count := self._decrypt(view)) is None:
                self._sip_up()
        self._pace.received += count
        return count

    def _decrypt(self, view: memoryview) -> int | None:
        """Fill the start of `view` from whole records; None where there is none, 0 at the end."""
        if self._failure:
            raise ssl.SSLError(*self._failure)
        filled = 0
        try:
            while filled < len(view):
                # With a buffer the standard library gives the count, whatever its annotations say.
                count: Any = self.sslobj.read(len(view) - filled, view[filled:])
                if not count:
                    break
                filled += count
        except ssl.SSLWantReadError:
            return filled or None
        except ssl.SSLEOFError:
            self.cut = True
        except ssl.SSLError as failure:
            if not filled:
                raise
            self._failure = failure.args  # after what came before it, and was good
        return filled

    def _sip_up(self) -> None:
        """Take what the network has, or brings next."""
        if self.outgoing.pending:  # what TLS itself has to answer
            self.socket.sendall(self.outgoing.read())
        count = self.socket.recv_into(self._sip)
        if count:
            self.incoming.write(self._sip[:count])
        else:
            self.incoming.write_eof()

    @property
    def _io_refs(self) -> int:
        """How many files read from it; the TLS to a host behind a TLS proxy counts them here."""
        refs: int = self.socket._io_refs  # type: ignore[attr-defined]  # noqa: SLF001 - urllib3 does as much
        return refs

    @_io_refs.setter
    def _io_refs(self, count: int) -> None:
        self.socket._io_refs = count  # type: ignore[attr-defined]  # noqa: SLF001
