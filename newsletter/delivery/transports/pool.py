"""How many connections a server takes: fewer after a refusal, one more after a while.

A pool belongs to a server and lives as long as the process, as a carrier lives for one shift only. It is not shared by threads.
"""

import time
from functools import cache

FIRST_PAUSE, LONGEST_PAUSE = 30, 600  # seconds before one connection more is tried; doubled each time it is refused


class Pool:
    """The connections to one server: at most `most`, and no more than it lately took."""

    def __init__(self, most):
        self.most = self.allowed = most
        self.open = self.opening = 0
        self._pause, self._grow_at, self._is_growing = FIRST_PAUSE, 0.0, False

    def may_open(self):
        """Whether one more connection may be tried now."""
        if self.allowed < self.most and time.monotonic() >= self._grow_at and not self.opening:
            self.allowed += 1
            self._is_growing = True
            self._grow_at = time.monotonic() + self._pause
        return self.open + self.opening < self.allowed

    def begin(self):
        """A connection is being opened."""
        self.opening += 1

    def opened(self):
        """It was opened."""
        self.opening -= 1
        self.open += 1
        if self._is_growing:
            self._is_growing, self._pause = False, FIRST_PAUSE

    def refused(self):
        """It was not opened. Returns whether the server is away: no other connection is open, and none is being opened."""
        self.opening -= 1
        if not self.open and not self.opening:
            self.allowed = self.most  # it refused because it was not there
            return True
        self.allowed = self.open + self.opening
        if self._is_growing:
            self._is_growing, self._pause = False, min(2 * self._pause, LONGEST_PAUSE)
        self._grow_at = time.monotonic() + self._pause
        return False

    def closed(self):
        """A connection that was opened has ended."""
        self.open -= 1


@cache
def pool_for(host, port, most):
    """The Pool of a server in this process."""
    return Pool(most)
