"""Squared errors of many rows as those of few: fits that read X for its moments alone."""

import copy
import time

import numpy as np

from ._at_once import elastic_net, ridge
from ._build import coefficients, scaled_problem
from ._certificate import fall
from ._descend import ROUNDING, descend, describe
from ._problem import Problem
from ._protocols import Result
from .callbacks import History
from .losses import SquaredError
from .solvers import Newton
from .solvers._curvature import FACTORED

__all__ = ["fit_on_few", "may_be_few", "worth_few"]

_ROWS = 2  # rows for each coefficient, from which second moments are fewer numbers
_MANY = 16  # the same, from which one fit pays for making them
_NARROW = 64  # columns up to which they cost no more than the passes of a descent
_NOISE = 0.1  # part of ``tol`` that rounding of second moments may take
_ENOUGH = 1e-3  # the same that is left to the gap where another round costs something


def may_be_few(plan, problem):
    """Whether a run may be one on `Compressed` rows: all it needs are squared errors.

    Parameters
    ----------
    plan : Plan
        With its solver decided.
    problem : Problem
        In the user's variables.

    Returns
    -------
    bool
        False also where there are hardly more rows than columns.
    """
    objective = problem.objective
    size = objective.n_features + objective.n_outputs
    if not isinstance(objective.loss, SquaredError) or plan.solver.stochastic:
        return False
    if not plan.solver.scales(problem):
        return False  # a textbook recurrence is followed on the rows
    return size <= FACTORED and objective.n_active >= _ROWS * size


def worth_few(plan, problem):
    """Whether a single fit by `Newton` is faster so, which forms second moments anyway."""
    objective = problem.objective
    size = objective.n_features + objective.n_outputs
    if not (isinstance(plan.solver, Newton) and may_be_few(plan, problem)):
        return False
    n = objective.n_active
    return n >= _MANY * size and (size <= _NARROW or plan.solver.first_sample(problem) == n)


def fit_on_few(est, plan, small, rng, start=None):
    """Minimise F on few rows with the same squared errors; set the attributes of ``est``.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        As in `skgd._fit.fit`.
    plan : Plan
        With its solver decided.
    small : Compressed
        The rows.
    rng : numpy.random.RandomState
        As in `skgd._descend.descend`.
    start : ndarray of shape (n_params,), default=None
        Where to begin, in the user's variables; the intercepts do not matter. None is zero.

    Returns
    -------
    tuple of (Result, object, ndarray) or None
        What `descend` returns, without a state or what watched it where there was no run, and the
        point in the user's variables. None where rounding of second moments is too much: the rows
        have to say more.
    """
    found = _without_a_run(est, plan, small, start)
    return found or _by_descent(est, plan, small, rng, start)


def _without_a_run(est, plan, small, start):
    """Solve what `Newton` needs a step or two for, from second moments; None if not enough."""
    begin, plain = time.perf_counter(), Problem(small.rows, plan.penalty, float(est.alpha))
    shown = est.tol is None or est.verbose > 0
    if shown or plain.custom or not isinstance(plan.solver, Newton):
        return None
    if plain.has_l1:
        found = elastic_net(small, plain.decay, plain.pull, _ENOUGH * est.tol, start)
    else:
        found = ridge(small, plain.decay) if plain.has_l2 else None
    if found is None:
        return None
    null = small.null_value
    with np.errstate(all="ignore"):
        noise = small.noise(found.theta) if found.theta.any() else 0.0
        figure = (found.gap + noise) / max(fall(null, found.value - found.gap), 1e-300)
    if not (figure <= _NOISE * est.tol and found.value <= null * (1.0 + ROUNDING)):
        return None
    theta, history = small.with_intercepts(found.theta), History()
    history.rows.append([found.value, found.violation, 1.0, time.perf_counter() - begin])
    model = coefficients(small.rows, theta, small.rows.dtype, est)
    describe(est, plan, model, history, 1, (figure, "gap"), "converged")
    return Result(None, "converged", 1), None, theta


def _by_descent(est, plan, small, rng, start):
    few = Problem(small.objective, plan.penalty, float(est.alpha))
    problem = scaled_problem(few, plan, moments=small.moments)
    objective = problem.objective
    theta = objective.zeros()
    if start is not None:
        theta = start.copy()
        few.objective.split(theta)[1][:] = 0.0
        theta = objective.from_user(theta)
    found = copy.copy(est)
    if found.tol is not None:
        found.tol *= 1.0 - _NOISE  # what is left of it is for rounding
    result, watch = descend(found, plan, problem, theta, objective.zeros(), rng)
    point = small.with_intercepts(objective.to_user(result.state.point))
    whole = few.value(few.objective.zeros()) - result.state.value
    noise = small.noise(point) / max(whole, 1e-300) if whole > 0 else 0.0
    if found.optimality_kind_ == "gap":
        if noise > _NOISE * (est.tol or 0.0) and result.interrupt is None:
            return None
        found.optimality_ += noise
    vars(est).update(vars(found), tol=est.tol)
    b = few.objective.split(point)[1]
    with np.errstate(over="ignore"):
        intercept = b.astype(est.intercept_.dtype)
    est.intercept_ = intercept if np.isfinite(intercept).all() else b.copy()
    return result, watch, point
