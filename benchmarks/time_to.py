"""Seconds to 1e-4 and 1e-6 of the least F: skgd beside the exact solvers of its peers.

    python benchmarks/time_to.py --data PATH                    # dense sets and made-up rows
    python benchmarks/time_to.py --data PATH --sets diamonds --no-synthetic
    python benchmarks/time_to.py --scale 0.05                   # made-up rows alone, few of them

Each solver runs over a ladder of tolerances, loosest first, until ``--limit`` seconds are spent
on the problem; ``max_iter`` is set so that a rung can hardly exceed what is left. Its time to
eps is that of its fastest rung whose F is within eps, relative, of the least F that anyone
reached, the least of ``--repeats`` runs in turns. F is computed here from ``coef_`` and
``intercept_``. Everything runs in one process on the same arrays, with the threads that each
library takes by itself (or ``--threads``).

Peers: scikit-learn's LogisticRegression and Ridge with every solver that minimises the same F,
and snapml and scikit-learn-intelex where they can be imported (the latter by its own classes,
so that scikit-learn stays as it is). liblinear and snapml penalise the intercept, so they reach
only the eps that this leaves them.
"""

import argparse
import contextlib
import importlib
import json
import time
import warnings
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from optimum import Objective
from sets import add_data_arguments, each_set
from sklearn.linear_model import LogisticRegression, Ridge
from speed import dense_rows
from threadpoolctl import threadpool_limits

from skgd import GDClassifier, GDRegressor
from skgd.solvers import get_solver_names

SYNTHETIC = [(1_000_000, 20), (300_000, 100), (50_000, 1_000)]
EXACT = ["gd", "agd", "lbfgs", "newton", "sag", "saga", "svrg", "sdca"]  # tried where they exist
EPS = [1e-4, 1e-6]
LADDER = [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10]
MOST = 20_000  # steps of any run
HESSIAN = 2_500  # parameters beyond which newton-cholesky is left out: it cannot be cut short


class Peer(NamedTuple):
    """A solver by name: ``make(tol, max_iter)`` gives a model to fit."""

    name: str
    make: object
    iterative: bool = True


class Run(NamedTuple):
    """One rung: its tolerance, its cap, seconds and F."""

    tol: float
    max_iter: int
    seconds: float
    F: float


# -- solvers --------------------------------------------------------------------------


def optional(module, name):
    """Return a class of a package that may be missing."""
    try:
        return getattr(importlib.import_module(module), name)
    except Exception:  # a wheel may be there and fail on this machine's libraries
        return None


def ours(task, alpha, solvers, n_jobs):
    """skgd's solvers, ``auto`` first."""
    kind = GDRegressor if task == "regression" else GDClassifier
    for solver in solvers:
        yield Peer(
            f"skgd {solver}",
            lambda tol, k, solver=solver: kind(
                alpha=alpha, solver=solver, tol=tol, max_iter=k, random_state=0, n_jobs=n_jobs
            ),
        )


def logistic_peers(X, n_classes, alpha, n_jobs):
    """Peers for the logistic loss."""
    n, d = X.shape
    C = 1 / (alpha * n)
    solvers = ["lbfgs", "newton-cg", "saga", "sag"]
    if n_classes == 2:
        solvers.append("liblinear")
    if (d + 1) * (1 if n_classes == 2 else n_classes) <= HESSIAN:
        solvers.append("newton-cholesky")
    for solver in solvers:
        yield Peer(
            f"sklearn {solver}",
            lambda tol, k, s=solver: LogisticRegression(
                C=C, solver=s, tol=tol, max_iter=k, random_state=0
            ),
        )
    intel = optional("sklearnex.linear_model", "LogisticRegression")
    if intel is not None:
        yield Peer("sklearnex lbfgs", lambda tol, k: intel(C=C, tol=tol, max_iter=k))
    snap = optional("snapml", "LogisticRegression")
    if snap is not None and n_classes == 2:  # beyond, it fits one class against the rest
        common = {"regularizer": alpha * n, "fit_intercept": True, "random_state": 0}
        for dual in (True, False):
            yield Peer(
                f"snapml {'dual' if dual else 'primal'}",
                lambda tol, k, dual=dual: snap(
                    **common, n_jobs=n_jobs, dual=dual, tol=tol, max_iter=k
                ),
            )


def ridge_peers(X, alpha, n_jobs):
    """Peers for least squares."""
    a = alpha * X.shape[0]
    for solver in ("cholesky", "svd"):
        yield Peer(f"sklearn {solver}", lambda tol, k, s=solver: Ridge(alpha=a, solver=s), False)
    for solver in ("lsqr", "sparse_cg", "sag", "saga"):
        yield Peer(
            f"sklearn {solver}",
            lambda tol, k, s=solver: Ridge(alpha=a, solver=s, tol=tol, max_iter=k, random_state=0),
        )
    intel = optional("sklearnex.linear_model", "Ridge")
    if intel is not None:
        yield Peer("sklearnex", lambda tol, k: intel(alpha=a), False)
    snap = optional("snapml", "LinearRegression")
    if snap is not None:
        common = {"regularizer": a, "fit_intercept": True, "random_state": 0}
        yield Peer(
            "snapml dual",
            lambda tol, k: snap(**common, n_jobs=n_jobs, dual=True, tol=tol, max_iter=k),
        )


# -- one problem ----------------------------------------------------------------------


def run(peer, tol, max_iter, X, y, F):
    """Fit once and return the `Run` and the steps taken."""
    model = peer.make(tol, max_iter)
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    steps = getattr(model, "n_iter_", None)
    steps = max_iter if steps is None else np.max(steps)
    return Run(tol, max_iter, seconds, F.value(model.coef_, model.intercept_)), int(steps)


def climb(peer, X, y, F, limit):
    """Return the runs of a solver over its ladder; stop when the seconds are spent."""
    run(peer, LADDER[0], 3, X[:2_000], y[:2_000], F)  # what happens once in a process
    if not peer.iterative:
        return [run(peer, 0, 1, X, y, F)[0]]
    first, steps = run(peer, LADDER[0], 5, X, y, F)
    runs, spent, a_step = [first], first.seconds, first.seconds / max(steps, 1)
    for tol in LADDER:
        cap = int(min(MOST, (limit - spent) / a_step))
        if cap < 1:
            break
        found, steps = run(peer, tol, cap, X, y, F)
        runs.append(found)
        spent += found.seconds
        # The dearest step seen, lest early and cheap ones promise too much.
        a_step = max(a_step if steps < 20 else 0.0, found.seconds / max(steps, 1))
        if steps >= cap:
            break
    return runs


def time_to(X, y, task, args):
    """Return ``{eps: {solver: seconds}}`` of one problem, and all runs."""
    F = Objective(X, y, task, args.alpha)
    jobs = args.threads or 2
    if task == "regression":
        peers = ridge_peers(X, args.alpha, jobs)
    else:
        peers = logistic_peers(X, len(np.unique(y)), args.alpha, jobs)
    solvers = [*ours(task, args.alpha, args.solvers, args.threads), *peers]
    runs = {}
    for peer in solvers:
        try:
            runs[peer.name] = climb(peer, X, y, F, args.limit)
        except (ValueError, RuntimeError, MemoryError, np.linalg.LinAlgError) as error:
            print(f"  {peer.name}: {type(error).__name__}: {str(error)[:100]}", flush=True)
    least = min(r.F for rungs in runs.values() for r in rungs)
    chosen = {}
    for eps in EPS:
        for peer in solvers:
            near = [r for r in runs.get(peer.name, []) if r.F - least <= eps * abs(least)]
            if near:
                chosen[eps, peer.name] = peer, min(near, key=lambda r: r.seconds)
    # Again, in turns, so that a slow moment of the machine hits all; dear runs stay as they are.
    again = {(peer.name, r.tol, r.max_iter): peer for peer, r in chosen.values()}
    seconds = {(peer.name, r.tol, r.max_iter): r.seconds for peer, r in chosen.values()}
    for _ in range(args.repeats):
        for key, peer in again.items():
            if seconds[key] < args.limit / 6:
                found = run(peer, *key[1:], X, y, F)[0]
                seconds[key] = min(seconds[key], found.seconds)
    times = {eps: {} for eps in EPS}
    for (eps, name), (_, r) in chosen.items():
        times[eps][name] = seconds[name, r.tol, r.max_iter]
    return times, runs


def problems(args):
    """Yield name, maker of ``(X, y)`` and task; made-up rows are made one at a time."""
    if args.data:
        for name, form, X, y, info in each_set(args, lambda y, info: not info["sparse"]):
            yield f"{name} {form}", lambda X=X, y=y: (X, y), info["task"]
    if not args.no_synthetic:
        for n, d in SYNTHETIC:
            n = max(1_000, int(n * args.scale))
            yield f"synthetic {n:,} x {d:,}", lambda n=n, d=d: dense_rows(n, d), "binary"


# -- tables ---------------------------------------------------------------------------


def fastest(times, mine):
    """Name and seconds of the fastest of skgd or of its peers, or None."""
    some = {n: t for n, t in times.items() if n.startswith("skgd") == mine}
    return min(some.items(), key=lambda item: item[1]) if some else None


def compare(times):
    """Seconds of auto, the best of skgd and the best peer, as ``(name, seconds)`` or None."""
    auto = ("skgd auto", times["skgd auto"]) if "skgd auto" in times else None
    return auto, fastest(times, True), fastest(times, False)


def ratio(peer, mine):
    """Peer's seconds over ours; infinite where only we arrived, zero where only they did."""
    if mine is None:
        return 0.0 if peer else np.nan
    return peer[1] / mine[1] if peer else np.inf


def line(name, eps, times):
    auto, best, peer = compare(times)

    def show(found):
        return f"{found[0].removeprefix('skgd '):<24}{found[1]:>9.3f}" if found else f"{'-':<33}"

    alone = f"{auto[1]:>9.3f}" if auto else f"{'-':>9}"
    a, b = ratio(peer, auto), ratio(peer, best)
    return f"{name:<30}{eps:>7.0e}{alone}  {show(best)}  {show(peer)}{a:>9.2f}{b:>9.2f}"


def totals(results):
    """Print geometric means and counts over the problems."""
    for eps in EPS:
        compared = [compare(times[eps]) for times in results.values()]
        for what, at in (("auto", 0), ("best of skgd", 1)):
            ratios = np.array([ratio(c[2], c[at]) for c in compared])
            both = ratios[(ratios > 0) & np.isfinite(ratios)]
            mean = np.exp(np.log(both).mean()) if len(both) else np.nan
            print(
                f"to {eps:.0e}, best peer / {what:<13} geometric mean {mean:6.2f} "
                f"least {both.min() if len(both) else np.nan:6.2f}, ahead on "
                f"{np.sum(ratios > 1)} of {len(ratios)}, not reached {np.sum(ratios == 0)}, "
                f"reached alone {np.sum(np.isinf(ratios))}"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_data_arguments(parser, required=False)
    names = get_solver_names()
    default = ["auto", *(s for s in EXACT if s in names)]
    parser.add_argument("--solvers", nargs="+", default=default, help="of skgd")
    parser.add_argument("--no-synthetic", action="store_true")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on made-up rows")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of a ladder")
    parser.add_argument("--threads", type=int, help="threads of every library")
    parser.add_argument("--all", action="store_true", help="print every solver of every problem")
    parser.add_argument("--json", help="file that takes every run")
    args = parser.parse_args()
    # Capped runs are meant, and peers overflow on raw columns.
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")

    head = f"{'problem':<30}{'eps':>7}{'auto s':>9}  {'best of skgd':<24}{'s':>9}  "
    print(head + f"{'best peer':<24}{'s':>9}{'/ auto':>9}{'/ best':>9}")
    results, record = {}, {}
    limits = threadpool_limits(args.threads) if args.threads else contextlib.nullcontext()
    with limits:
        for name, make, task in problems(args):
            X, y = make()
            assert not sp.issparse(X)
            results[name], record[name] = time_to(X, y, task, args)
            for eps, times in results[name].items():
                print(line(name, eps, times), flush=True)
                if args.all:
                    for solver, t in sorted(times.items(), key=lambda item: item[1]):
                        print(f"{'':<39}{solver:<24}{t:>9.3f}")
            if args.json:
                with open(args.json, "w") as f:
                    json.dump(record, f)
    print()
    totals(results)


if __name__ == "__main__":
    main()
