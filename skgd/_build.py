"""From validated rows and a plan to a problem, and from its variables to ``coef_``."""

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from ._problem import Problem
from .objectives import Moments, make_objective, make_scaled
from .schedules import Optimal

__all__ = [
    "Data",
    "coefficients",
    "divergence_bound",
    "given_start",
    "make_problem",
    "mean_loss",
    "null_point",
    "relative_moments",
    "scaled_problem",
    "shown",
    "theta_of",
    "unchanged_on_error",
]


@dataclass(eq=False)
class Data:
    """Validated rows, targets and weights."""

    X: object  # ndarray (C order) or CSR
    targets: object  # Targets
    s: np.ndarray  # (n,) float64, class weights included


@contextmanager
def unchanged_on_error(est):
    """Give an estimator its attributes back if the block raises, be it an interrupt.

    The block is handed a function that does so at its wish.
    """
    est._show()
    before = dict(vars(est))

    def undo():
        # First what was there: a second interrupt then loses nothing.
        vars(est).update(before)
        for name in set(vars(est)) - set(before):
            delattr(est, name)

    try:
        yield undo
    except BaseException:
        undo()
        raise


def make_problem(plan, data, fit_intercept, alpha, *, mass=None):
    """Return the `Problem` of these rows in the user's variables."""
    objective = make_objective(
        data.X,
        data.targets.y,
        data.s,
        data.targets.loss,
        n_outputs=data.targets.n_outputs,
        fit_intercept=fit_intercept,
        mass=mass,
        n_threads=plan.n_threads,
    )
    return Problem(objective, plan.penalty, float(alpha))


def relative_moments(objective):
    """Return the moments of an objective's rows, whose mass is their number; reads them once.

    Relative weights: what they add up to says nothing about how many rows there are.
    """
    return replace(Moments.of(objective), mass=float(objective.n_active))


def scaled_problem(problem, plan, moments=None):
    """Return the same problem in the variables that the solver works in."""
    if not plan.solver.scales(problem):
        return problem
    if moments is None:
        moments = relative_moments(problem.objective)
    objective = make_scaled(
        problem.objective,
        moments,
        float(np.max(problem.l2)),
        stochastic=plan.solver.stochastic,
        uniform=problem.custom and not problem.penalty.separable,
    )
    return Problem(objective, problem.penalty, problem.alpha)


def divergence_bound(plan, objective, *values):
    """Return the F above which a run has diverged, from F where it began and at zero.

    Half as much again; for ``learning_rate="optimal"`` a thousand times, since its first
    rates are large by design and later ones make good what they did. F of the perceptron
    can only rise from zero, where it is least: there no bound but infinity.
    """
    if objective.loss.least_at_zero:
        return np.finfo(float).max
    worst = max((v for v in values if math.isfinite(v)), default=0.0)
    more = 1e3 if isinstance(plan.schedule, Optimal) else 0.5
    return worst + more * abs(worst) + 1e-300


def null_point(problem):
    """Return ``theta`` (user's variables) at zero coefficients with the best intercept."""
    objective = problem.objective
    theta = objective.zeros()
    if objective.fit_intercept:
        start = objective.loss.start(objective.y, objective.s, np, objective.n_outputs)
        theta[objective.n_coef :] = start
    return theta


def given_start(objective, coef, intercept):
    """Return ``theta`` of a start that the user gave, or None.

    Raises
    ------
    ValueError
        If a shape does not fit or an entry is not finite.
    """
    if coef is None and intercept is None:
        return None
    theta = objective.zeros()
    W, b = objective.split(theta)
    for name, given, into in (("coef_init", coef, W), ("intercept_init", intercept, b)):
        if given is None:
            continue
        given = np.asarray(given.toarray() if hasattr(given, "toarray") else given, dtype=float)
        if given.size != into.size or (given.ndim > 1 and given.shape != into.shape):
            raise ValueError(
                f"{name} has shape {given.shape}; expected {into.shape}"
                f"{f' or {into.shape[1:]}' if len(into) == 1 else ''} for these data."
            )
        if not np.isfinite(given).all():
            raise ValueError(f"{name} contains NaN or infinity.")
        into[...] = given.reshape(into.shape)
    if not objective.fit_intercept:
        b[:] = 0.0
    return theta


def coefficients(objective, theta, dtype, est):
    """Return ``coef_`` and ``intercept_`` in the user's variables and the type of X."""
    W, b = objective.split(objective.to_user(theta))
    return shown(W, b, dtype, est._flat_coef(len(W)))


def shown(W, b, dtype, flat):
    """Return ``coef_`` and ``intercept_`` as new arrays of the type of X, ``coef_`` flat or not."""
    coef, intercept = W.copy(), b.copy()
    if dtype != np.float64:
        with np.errstate(over="ignore"):
            narrow = coef.astype(dtype), intercept.astype(dtype)
        if np.isfinite(narrow[0]).all() and np.isfinite(narrow[1]).all():  # it holds them
            coef, intercept = narrow
    if flat:
        coef = coef[0]
    return {"coef_": coef, "intercept_": intercept}


def theta_of(model):
    """Return all coefficients and then all intercepts of a fitted model, as one vector."""
    coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
    return np.append(np.ravel(coef), model.intercept_).astype(float)


def mean_loss(X, targets, s, n_threads=1):
    """Return the mean loss on some rows, a function of ``theta`` in the user's variables."""
    held = make_objective(
        X, targets.y, s, targets.loss, n_outputs=targets.n_outputs, n_threads=n_threads
    )

    def mean(theta):
        return held.loss_sum(theta) / held.mass if held.mass > 0 else np.nan

    return mean
