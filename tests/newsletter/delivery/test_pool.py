"""How many connections to a server are tried, by what it lately took."""

from itertools import pairwise

import pytest

from newsletter.delivery.transports import pool as module
from newsletter.delivery.transports.pool import Pool


class Clock:
    """In place of `time`: it stands still until it is shifted."""

    now = 1000.0

    def monotonic(self):
        return self.now

    def shift(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(module, "time", Clock())
    return module.time


def open_all(pool, taken):
    """Try every connection that the pool allows at once, at a server that takes so many in all; returns how many were tried."""
    tried = 0
    while pool.may_open():
        pool.start_opening()
        tried += 1
    verdicts = []
    for _try in range(tried):
        if pool.open < taken:
            pool.opened()
        else:
            verdicts.append(pool.refused())
    assert not any(verdicts), "the campaign waits though others are connected"
    return tried


def test_refusals_shrink_the_pool_to_what_the_server_takes(clock):
    pool = Pool(10)
    assert open_all(pool, 5) == 10
    assert pool.open == 5
    assert open_all(pool, 5) == 0


def test_it_grows_again_one_by_one_and_tries_less_often_where_it_is_refused(clock):
    pool = Pool(10)
    open_all(pool, 5)
    tries = []
    for second in range(1200):
        clock.shift(1)
        if open_all(pool, 5):
            tries.append(second)
    pauses = [after - before for before, after in pairwise(tries)]
    assert 3 < len(tries) < 8
    assert pauses == sorted(pauses)
    assert pauses[-1] > 4 * pauses[0]
    for _second in range(3000):
        clock.shift(1)
        open_all(pool, 20)  # the server takes more now
    assert pool.open == 10


def test_a_server_that_is_away_is_said_to_be_so_once_and_costs_no_connection_later(clock):
    pool = Pool(4)
    for _connection in range(4):
        pool.start_opening()
    assert [pool.refused() for _connection in range(4)] == [False, False, False, True]
    assert open_all(pool, 4) == 4


def test_a_connection_that_ends_makes_room_for_the_next(clock):
    pool = Pool(3)
    open_all(pool, 2)
    pool.closed()
    assert open_all(pool, 2) == 1
