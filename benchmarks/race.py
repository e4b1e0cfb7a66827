"""Objective against seconds, of every solver on one problem and one data set.

Each solver climbs a ladder of tolerances, loosest first, until its seconds are spent. A rung is
the least time of several runs in turns. F is computed from ``coef_`` and ``intercept_``, for every
side alike; the least F that anyone reached, or that skgd reaches at tol=1e-12, is F*.
"""

import csv
import importlib.metadata
import os
import platform
import time
from typing import NamedTuple

import numpy as np

from .peers import PEERS, missing
from .peers._base import Peer

__all__ = ["EPS", "Rung", "fastest", "race", "times_to", "write"]

LADDER = [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10]
EPS = [1e-2, 1e-4, 1e-6]
_MOST = 20_000  # steps of any run
FIELDS = (
    "problem data form rows columns alpha library version solver tol max_iter seconds value excess "
    "repeats cores machine"
).split()


class Rung(NamedTuple):
    """One run of a solver."""

    library: str
    solver: str
    tol: float
    max_iter: int
    seconds: float
    value: float


def race(problem, X, y, alpha, *, solvers, libraries, limit, repeats, say=print):
    """Return the rungs of all solvers, and F*.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    X, y : array
        Rows and targets.
    alpha : float
        Strength of the penalty.
    solvers : list of str
        Of skgd.
    libraries : list of str
        Keys of ``PEERS``; those that cannot be imported are left out with a line.
    limit : float
        Seconds of a ladder.
    repeats : int
        Runs of a rung, in turns; the least time counts.
    say : callable, default=print
        Told what is left out.

    Returns
    -------
    list of Rung, float
    """
    coded = problem.code(y)
    labels = np.ravel(coded) if problem.task in ("regression", "counts") else y
    value = lambda model: problem.value(X, coded, alpha, model.coef_, model.intercept_)  # noqa: E731
    tried = [
        ("skgd", Peer(name, lambda tol, k, name=name: problem.ours(name, alpha, tol, k)))
        for name in solvers
    ]
    for library in libraries:
        reason = missing(library)
        if reason:
            say(reason)
            continue
        tried += [(library, peer) for peer in PEERS[library].solvers(problem, X, y, alpha)]
    rungs = []
    for library, peer in tried:
        try:
            rungs += _climb(library, peer, X, labels, value, limit)
        except (ValueError, RuntimeError, MemoryError, np.linalg.LinAlgError) as error:
            say(f"{library} {peer.name}: {type(error).__name__}: {str(error)[:100]}")
    best = problem.ours("auto", alpha, 1e-12, _MOST).fit(X, labels)
    least = min([value(best), *(rung.value for rung in rungs if np.isfinite(rung.value))])
    # Again, in turns, so that a slow moment of the machine hits all; dear runs stay as they are.
    makers = {(library, peer.name): peer for library, peer in tried}
    for _ in range(repeats - 1):
        for n, rung in enumerate(rungs):
            if rung.seconds < limit / 6:
                model = makers[rung.library, rung.solver].make(rung.tol, rung.max_iter)
                seconds = _timed(model, X, labels)
                rungs[n] = rung._replace(seconds=min(rung.seconds, seconds))
    return rungs, least


def _timed(model, X, y):
    begin = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - begin


def _run(library, peer, tol, max_iter, X, y, value):
    model = peer.make(tol, max_iter)
    seconds = _timed(model, X, y)
    steps = getattr(model, "n_iter_", None)
    # Some keep no count; what they are told to do at most says little.
    steps = 1 if steps is None else int(np.max(steps))
    return Rung(library, peer.name, tol, max_iter, seconds, value(model)), steps


def _climb(library, peer, X, y, value, limit):
    """Return the rungs of a solver; stop when the seconds are spent."""
    peer.make(LADDER[0], 3).fit(X[:2_000], y[:2_000])  # what happens once in a process
    if not peer.iterative:
        return [_run(library, peer, 0.0, 1, X, y, value)[0]]
    first, steps = _run(library, peer, LADDER[0], 5, X, y, value)
    rungs, spent, a_step = [first], first.seconds, first.seconds / max(steps, 1)
    for tol in LADDER:
        cap = int(min(_MOST, (limit - spent) / a_step))
        if cap < 1:
            break
        rung, steps = _run(library, peer, tol, cap, X, y, value)
        rungs.append(rung)
        spent += rung.seconds
        # The dearest step seen, lest early and cheap ones promise too much.
        a_step = max(a_step if steps < 20 else 0.0, rung.seconds / max(steps, 1))
        if steps >= cap:
            break
    return rungs


# -- what comes of it -------------------------------------------------------------------


def times_to(rungs, least):
    """Return ``{eps: {(library, solver): seconds}}``: the fastest rung within eps of F*."""
    found = {eps: {} for eps in EPS}
    for eps, times in found.items():
        for rung in rungs:
            if rung.value - least <= eps * abs(least):
                key = rung.library, rung.solver
                times[key] = min(times.get(key, np.inf), rung.seconds)
    return found


def fastest(times, ours):
    """Return the key and the seconds of the fastest of skgd, or of its peers, or None."""
    some = {key: t for key, t in times.items() if (key[0] == "skgd") == ours}
    return min(some.items(), key=lambda item: item[1]) if some else None


def write(path, problem, data, form, X, alpha, rungs, least, repeats):
    """Append rungs to a CSV file, a row each; a new file gets a header."""
    new = not os.path.exists(path)
    machine = platform.processor() or platform.machine()
    with open(path, "a", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        if new:
            rows.writerow(FIELDS)
        for rung in rungs:
            excess = (rung.value - least) / abs(least) if least else np.nan
            rows.writerow(
                [
                    problem.name,
                    data,
                    form,
                    *X.shape,
                    alpha,
                    rung.library,
                    _version(rung.library),
                    rung.solver,
                    rung.tol,
                    rung.max_iter,
                    f"{rung.seconds:.6g}",
                    f"{rung.value:.12g}",
                    f"{excess:.3e}",
                    repeats,
                    os.cpu_count(),
                    machine,
                ]
            )


def _version(library):
    try:
        return importlib.metadata.version(library.removesuffix(" SGD"))
    except importlib.metadata.PackageNotFoundError:
        return ""
