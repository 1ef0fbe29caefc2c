"""Limits the connections to a server: fewer after a refusal, one more after a pause.

A pool belongs to a server and lives as long as the process, while transports are created per worker run. It is not
thread-safe.
"""

import time
from functools import cache

FIRST_PAUSE, MAX_PAUSE = 30, 600  # seconds before one more connection is tried; doubled with each refusal


class Pool:
    """Counts the connections to one server: at most `limit`, and no more than it recently accepted."""

    def __init__(self, limit: int) -> None:
        self.limit = self.allowed = limit
        self.open = self.opening = 0
        self._pause, self._grow_at, self._is_growing = FIRST_PAUSE, 0.0, False

    def may_open(self) -> bool:
        """Return whether one more connection may be tried now."""
        if self.allowed < self.limit and time.monotonic() >= self._grow_at and not self.opening:
            self.allowed += 1
            self._is_growing = True
            self._grow_at = time.monotonic() + self._pause
        return self.open + self.opening < self.allowed

    def start_opening(self) -> None:
        """Record that a connection is being opened."""
        self.opening += 1

    def opened(self) -> None:
        """Record that the connection was opened."""
        self.opening -= 1
        self.open += 1
        if self._is_growing:
            self._is_growing, self._pause = False, FIRST_PAUSE

    def refused(self) -> bool:
        """Record that the connection was refused. Return whether the server is unavailable: no other connection is
        open or being opened."""
        self.opening -= 1
        if not self.open and not self.opening:
            self.allowed = self.limit  # the server is down, so this says nothing about its limit
            return True
        self.allowed = self.open + self.opening
        if self._is_growing:
            self._is_growing, self._pause = False, min(2 * self._pause, MAX_PAUSE)
        self._grow_at = time.monotonic() + self._pause
        return False

    def closed(self) -> None:
        """Record that an open connection ended."""
        self.open -= 1


@cache
def pool_for(host: str, port: int, limit: int) -> Pool:
    """Return the Pool of a server in this process."""
    return Pool(limit)
