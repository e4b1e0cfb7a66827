"""Parts of a work, one after the other or on threads, and sums in a fixed order."""

import functools
import itertools
import os
from concurrent.futures import ThreadPoolExecutor

__all__ = ["added", "cut", "in_turn"]


@functools.lru_cache(maxsize=4)
def _pool(n_threads, pid):
    # Kept between passes: starting threads costs as much as a pass over a few MB. The
    # process number is part of the key because threads do not survive a fork.
    return ThreadPoolExecutor(n_threads, thread_name_prefix="skgd")


def cut(n, parts):
    """Return the ranges that cut the numbers from 0 to ``n`` into nearly equal parts."""
    return list(itertools.pairwise([i * n // parts for i in range(parts + 1)]))


def added(parts):
    # From first to last: the order of a sum is part of its result.
    total = parts[0] + parts[1] if len(parts) > 1 else parts[0] + 0.0
    for more in parts[2:]:
        total += more
    return total


def in_turn(work, parts, n_threads):
    """Return ``work(i, *part)`` of every part, the i-th in order, in their order.

    Parameters
    ----------
    work : callable
        Releases the interpreter's lock where it takes time.
    parts : list of tuple
        Ranges of rows or outputs.
    n_threads : int
        Threads at most.

    Returns
    -------
    list
        One result for each part.
    """
    if len(parts) == 1:
        return [work(0, *parts[0])]
    n_threads = min(n_threads, len(parts))
    results, turns = [None] * len(parts), iter(range(len(parts)))

    def take():
        for i in turns:
            results[i] = work(i, *parts[i])

    helpers = []
    if n_threads > 1:
        pool = _pool(n_threads - 1, os.getpid())
        helpers = [pool.submit(take) for _ in range(n_threads - 1)]
    try:
        # The caller works too: of two threads woken at once, one often waits for milliseconds
        # behind the other on the same core.
        take()
    finally:
        for helper in helpers:
            # One that never got to start has nothing left to do.
            if not helper.cancel():
                helper.result()
    return results
