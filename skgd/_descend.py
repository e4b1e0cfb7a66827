"""One descent from a point: what watches it, and what it leaves in an estimator."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ._certificate import Certificate
from ._driver import run
from ._dual import has_gap
from ._stream import Saved
from ._watch import Watch

__all__ = ["ROUNDING", "descend", "describe"]

ROUNDING = 1e-13  # of F, relative: what two ways of adding up losses may differ by
_FEW = 2048  # rows that tell the size of a gradient
_TINY = np.finfo(float).tiny


def descend(
    est,
    plan,
    problem,
    theta,
    null,
    rng,
    *,
    begun=None,
    validation=None,
    metadata=None,
    origin=None,
    record=None,
):
    """Minimise F from a point and set the fitted attributes of ``est``.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        As in `skgd._fit.fit`.
    plan : Plan
        With its solver decided.
    problem : Problem
        In the variables that the solver works in.
    theta, null : ndarray of shape (n_params,)
        Where to begin, and zero coefficients with the best intercept, in these variables.
    rng : numpy.random.RandomState
        Draws the order of rows.
    begun : callable, default=None
        Told of the state before the first step, and of the certificate or None; it may
        change both.
    validation, metadata, record
        As in `skgd._fit.fit`.
    origin : Origin, default=None
        For checkpoints.

    Returns
    -------
    result : Result
        How the run ended.
    watch : object
        What watched it; its ``certified`` says whether optimality was a rule to stop.
    """
    zeros = problem.objective.from_user(problem.objective.zeros())
    zero_value = problem.value(zeros)
    # The same sum in another order may be larger by its rounding.
    zero_value += ROUNDING * abs(zero_value)

    state = plan.solver.init(problem, theta, rng)
    if np.isnan(zero_value) and np.isnan(state.value):
        raise ValueError(
            f"F with {problem.objective.loss!r} is NaN on these rows, at zero coefficients and "
            "where the run begins. The value of a loss must be a number at any linear predictor, "
            "or infinite where it is not defined."
        )
    reference, certificate = _references(problem, null, plan.solver, state, est.tol)
    if begun is not None:
        begun(state, certificate)
    if record is not None:
        state = record.state
    seen = reference, certificate, validation, metadata, origin
    watch = Watch(est, plan, problem, state, zero_value, *seen)
    watch.null = null
    if record is not None:
        watch.resume(record)
    with watch:
        so_far = watch.done, watch.seconds
        result = run(problem, plan.solver, state, watch.callbacks, est.max_iter, *so_far)
        _finish(est, plan, problem, result, watch)  # the last hook shows a fitted model
    return result, watch


def _references(problem, null, solver, state, tol):
    """Return the violation at the null point, and a certificate where there is a gap."""
    value, violation, gap = state.value, state.violation, has_gap(problem)
    # A solver may begin elsewhere than where it was told.
    if not (np.array_equal(state.point, null) and np.isfinite(violation)):
        value = problem.value(null)
        # Beside a certificate the violation says no more than when to ask for it.
        violation = _null_violation(problem.sample(_FEW) if gap else problem, null)
    if not gap:
        return violation, None
    awaited = tol is not None and solver.certifies(problem)
    return violation, Certificate(problem, value, tol or 0.0, awaited)


def _null_violation(problem, null):
    _, grad, _ = problem.look(null)
    return problem.violation(null, grad)


def _finish(est, plan, problem, result, watch):
    """Choose the point to return and set every fitted attribute."""
    state, objective = result.state, problem.objective
    validation, guard = watch.validation, watch.guard

    def move(theta):
        state.point, state.value, state.violation = theta, problem.value(theta), np.nan

    if est.early_stopping and validation is not None and validation.theta is not None:
        if not (np.isfinite(state.value) and np.array_equal(state.point, validation.theta)):
            move(validation.theta)
    elif objective.loss.least_at_zero:
        pass  # F of the perceptron is least where it has learnt nothing
    elif result.reason == "interrupted" or not state.value <= watch.zero_value:
        if not state.value <= guard.value:
            move(guard.theta)
    # F of a user's own loss may be least anywhere, but never above that of zeros either.
    if not state.value <= watch.zero_value and not objective.loss.least_at_zero:
        if result.reason != "converged":  # else zeros are the optimum, as near as was asked for
            warnings.warn(
                f"F at the best point reached ({state.value:.6g}) is above F at zero coefficients "
                f"({watch.zero_value:.6g}), so the model returned is zero. Raise max_iter, or "
                "leave out coef_init and intercept_init.",
                ConvergenceWarning,
                stacklevel=7,
            )
        move(objective.from_user(objective.zeros()))
    vanishes = 0.0 <= watch.zero_value < _TINY and 0.0 <= state.value < _TINY
    if vanishes and not objective.loss.least_at_zero:
        move(objective.from_user(objective.zeros()))  # whose F nothing can be told from
        if objective.slopes(objective.linear(state.point))[1].any():  # else zero is the optimum
            warnings.warn(
                f"F at zero coefficients is {watch.zero_value:.3g}, too small for digits, so the "
                "model returned is zero. Multiply y by a power of ten.",
                ConvergenceWarning,
                stacklevel=7,
            )
    if np.isnan(state.violation):
        state.value, grad = problem.value_grad(state.point)
        state.violation = problem.violation(state.point, grad)

    figure = _optimality(state, watch)
    if result.reason == "max_iter" and watch.certified and est.tol is not None:
        # The certificate was not due at the last iteration, which may have been enough.
        if figure[0] <= est.tol:
            result.reason = "converged"
    model = watch.coefficients(state.point)
    describe(est, plan, model, watch.history, state.t, figure, result.reason)
    est.restarts_ = np.array(watch.guard.restarts, dtype=int)
    if validation is not None:
        scores = np.full(est.n_iter_, np.nan)  # an interrupt may come before the last score
        scores[: len(validation.scores)] = validation.scores
        est.history_["validation_score"] = scores
    est._state = Saved.after(plan, problem, state, est) if plan.solver.streams else None


def describe(est, plan, model, history, t, figure, reason):
    """Set what every fit leaves in ``est``: of one without restarts and without a state.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Changed.
    plan : Plan
        With its solver decided.
    model : dict
        ``coef_`` and ``intercept_``.
    history : History
        Of the iterations.
    t : int
        Steps.
    figure : tuple of (float, str)
        How far the point is from the optimum, and what says so.
    reason : str
        Why the run ended.
    """
    vars(est).update(model)
    est.history_ = history.arrays()
    # What was recorded, lest an interrupt between a step and its record make the two differ.
    est.n_iter_, est.t_ = len(history.rows), t + 1
    est.loss_curve_ = est.history_["value"].copy()
    est.restarts_ = np.array([], dtype=int)
    est.solver_ = plan.found
    est.optimality_, est.optimality_kind_ = figure
    est.stop_reason_ = reason
    est.converged_ = reason in ("converged", "no_improvement", "early_stopping")
    est._state = None


def _optimality(state, watch):
    """Return how far the point is from the optimum, and which figure says so."""
    if watch.certificate is not None:
        gap = watch.certificate.optimality(state.point, state.value)
        if "dual" in state.memory and gap > watch.certificate.tol:
            dual = state.memory["dual"]
            gap = watch.certificate.optimality(state.point, state.value, dual=dual)
        if np.isfinite(gap):
            return gap, "gap"
        watch.reference = _null_violation(watch.problem, watch.null)
    return float(state.violation / watch.reference) if watch.reference > 0 else 0.0, "violation"
