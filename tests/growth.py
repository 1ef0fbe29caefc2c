"""Whether work grows with its input: a ratio of CPU times from one run, not a limit in seconds."""

import time

FACTOR = 8  # in quadratic time, eight times the input takes 64 times as long


def grows_in_step(work, size):
    """Whether `work(8 * size)` takes at most three times its share of `work(size)`; the least of three runs each."""

    def least(size):
        seconds = []
        for _time in range(3):
            started = time.process_time()
            work(size)
            seconds.append(time.process_time() - started)
        return min(seconds)  # the rest is what else went on in the machine

    return least(FACTOR * size) < 3 * FACTOR * max(least(size), 0.001)
