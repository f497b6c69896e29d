"""Work that goes on behind a caller's back, and the moment when all of it is done."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Errands:
    """Runs work on threads; `drain` waits for the rest and raises what went wrong."""

    def __init__(self) -> None:
        self._pending = 0
        self._broken: list[Exception] = []
        self._stopped = threading.Event()
        self._idle = threading.Condition()

    def send(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do something later, at once if nothing else is to be done."""

        def run() -> None:
            try:
                work(*arguments)
            except Exception as error:  # noqa: BLE001 - `drain` raises it
                if not self._stopped.is_set():
                    self._broken.append(error)
            finally:
                with self._idle:
                    self._pending -= 1
                    self._idle.notify_all()

        with self._idle:
            self._pending += 1
        threading.Thread(target=run, daemon=True).start()

    def pause(self, seconds: float) -> bool:
        """Sleep; false if there is no point in going on."""
        return not self._stopped.wait(seconds)

    def stop(self) -> None:
        """Give up what is under way."""
        self._stopped.set()

    def drain(self, timeout: float) -> None:
        """Wait until everything is done; TimeoutError if it is not, else the first thing that went wrong."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._pending == 0, timeout):
                raise TimeoutError(f"{self._pending} deliveries are still under way after {timeout} s")
            if self._broken:
                raise self._broken.pop(0)
