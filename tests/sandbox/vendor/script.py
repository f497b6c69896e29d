"""What a test has written for the vendors to do: replies, deliveries and hooks, consumed in order."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Literal

from tests.sandbox.vendor.routes import STEPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.vendor.delivery import Delivery
    from tests.sandbox.vendor.messages import Received, Reply

When = Literal["before", "after"]


def known(step: str) -> str:
    """Check a step's name: a misspelt one would never be consumed."""
    if step not in STEPS:
        raise ValueError(f"{step} is no step; there are {', '.join(STEPS)}")
    return step


class Script:
    """Thread safe; each next request of a step takes one entry."""

    def __init__(self) -> None:
        self._replies: dict[str, deque[Reply | None]] = defaultdict(deque)
        self._deliveries: deque[Delivery | None] = deque()
        self._hooks: dict[tuple[str, When], list[Callable[[Received], None]]] = defaultdict(list)
        self._byte_hooks: list[tuple[int, Callable[[], None]]] = []
        self._lock = threading.Lock()

    def add_replies(self, step: str, replies: tuple[Reply | None, ...]) -> None:
        """Append replies to a step's script."""
        with self._lock:
            self._replies[known(step)].extend(replies)

    def add_deliveries(self, deliveries: tuple[Delivery | None, ...]) -> None:
        """Append deliveries for the next files."""
        with self._lock:
            self._deliveries.extend(deliveries)

    def add_hook(self, step: str, when: When, callback: Callable[[Received], None]) -> None:
        """Call back at each request of a step."""
        with self._lock:
            self._hooks[known(step), when].append(callback)

    def add_byte_hook(self, count: int, callback: Callable[[], None]) -> None:
        """Call back once, when that many bytes of a file's body have gone out."""
        with self._lock:
            self._byte_hooks.append((count, callback))

    def clear(self) -> None:
        """Forget all that was written and not consumed."""
        with self._lock:
            self._replies.clear()
            self._deliveries.clear()
            self._hooks.clear()
            self._byte_hooks.clear()

    def next_reply(self, step: str) -> Reply | None:
        """Take a step's next reply; None is the normal one."""
        with self._lock:
            queue = self._replies.get(step)
            return queue.popleft() if queue else None

    def next_delivery(self) -> Delivery | None:
        """Take the next delivery; None is the knobs' one."""
        with self._lock:
            return self._deliveries.popleft() if self._deliveries else None

    def call_back(self, when: When, received: Received) -> None:
        """Run the hooks of a request's step."""
        with self._lock:
            hooks = list(self._hooks.get((received.step, when), ()))
        for hook in hooks:
            hook(received)

    def bytes_sent(self, count: int) -> None:
        """Run the byte hooks that are due."""
        if not self._byte_hooks:
            return
        with self._lock:
            due = [hook for least, hook in self._byte_hooks if count >= least]
            self._byte_hooks = [item for item in self._byte_hooks if count < item[0]]
        for hook in due:
            hook()
