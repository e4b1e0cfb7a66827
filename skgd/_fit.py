"""The one route from X, y and parameters to coefficients: ``fit``."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from ._build import (
    Data,
    coefficients,
    given_start,
    make_problem,
    null_point,
    scaled_problem,
)
from ._certificate import Certificate
from ._compat import callbacks_of
from ._driver import run
from ._dual import has_gap
from ._params import decided
from ._resume import Origin, check_resumable, drawn_anew
from ._stream import Saved
from ._targets import check_weights
from ._watch import Watch

__all__ = ["descend", "fit", "moderate"]

_ROUNDING = 1e-13  # of F, relative: what two ways of adding up losses may differ by
_FEW = 2048  # rows that tell the size of a gradient
_TINY = np.finfo(float).tiny
_FAR = 1e50  # weights beyond it, and beyond its inverse, are brought back to about one


# -- validation rows ------------------------------------------------------------------


def split_validation(est, data, rng, stratify):
    """Return ``data`` with the held-out rows at weight zero, and the held-out rows.

    Rows of weight zero are no rows to a solver, so X is not copied but for the part that
    is scored.
    """
    rows = np.flatnonzero(data.s)
    labels = data.targets.codes[rows] if stratify else None
    try:
        _, held = train_test_split(
            rows, test_size=est.validation_fraction, random_state=rng, stratify=labels
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True cannot hold out validation_fraction="
            f"{est.validation_fraction} of {len(rows)} rows: {error}"
        ) from error
    held = np.sort(held)
    s = data.s.copy()
    s[held] = 0.0
    return Data(data.X, data.targets, s), held


def moderate(data):
    """Return ``data`` with weights whose products with losses stay in range.

    Only their ratios matter to a fit, and a power of two changes no digit of these.
    """
    top = data.s.max()
    if 1 / _FAR < top < _FAR:
        return data
    return Data(data.X, data.targets, np.ldexp(data.s, -int(np.frexp(top)[1])))


# -- fit ------------------------------------------------------------------------------


def fit(
    est,
    plan,
    data,
    *,
    coef_init=None,
    intercept_init=None,
    validation=None,
    metadata=None,
    record=None,
):
    """Minimise F on all rows and set the fitted attributes of ``est``.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Its parameters are read, its fitted attributes set.
    plan : Plan
        From ``read``.
    data : Data
        Validated.
    coef_init, intercept_init : array, default=None
        Where to start, in the user's variables.
    validation : tuple or None
        ``(X, y, weights)`` to score after each iteration.
    metadata : tuple or None
        ``(X, y, sample_weight)`` as the user gave them, for scikit-learn's callbacks.
    record : Record, default=None
        Of a checkpoint, to go on from.

    Returns
    -------
    KeyboardInterrupt or None
        What ended the run, for the caller to raise again: the attributes are then set at
        the best point so far.
    """
    rng = check_random_state(est.random_state)
    if record is not None:
        check_resumable(est, record, data)
        rng = drawn_anew(record)
    origin = Origin(data, rng) if callbacks_of(est) else None
    classifier = data.targets.classes is not None
    if est.early_stopping and validation is None:
        data, held = split_validation(est, data, rng, classifier)
        y = data.targets.shown(held)
        given = None if metadata is None else metadata[2]
        weights = None if given is None else check_weights(given, len(data.s))[held]
        validation = data.X[held], y, weights

    plain = make_problem(plan, moderate(data), est.fit_intercept, est.alpha)
    plan = decided(plan, plain)
    plain.check(plan.solver)
    start = given_start(plain.objective, coef_init, intercept_init)
    problem = scaled_problem(plain, plan)
    objective = problem.objective

    null = objective.from_user(null_point(plain))
    if start is not None:
        theta = objective.from_user(start)
    elif problem is plain:
        # A textbook recurrence starts where textbooks do.
        theta = objective.zeros()
    else:
        theta = null
    more = {"validation": validation, "metadata": metadata, "origin": origin, "record": record}
    result, watch = descend(est, plan, problem, theta, null, rng, **more)
    _warn(est, plan, result, watch)
    return result.interrupt


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
        As in `fit`.
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
        As in `fit`.
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
    zero_value += _ROUNDING * abs(zero_value)

    state = plan.solver.init(problem, theta, rng)
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
    if np.isnan(state.violation):
        state.value, grad = problem.value_grad(state.point)
        state.violation = problem.violation(state.point, grad)

    vars(est).update(coefficients(objective, state.point, objective.dtype, est))
    est.history_ = watch.history.arrays()
    # What was recorded, lest an interrupt between a step and its record make the two differ.
    est.n_iter_, est.t_ = len(watch.history.rows), state.t + 1
    if validation is not None:
        scores = np.full(est.n_iter_, np.nan)  # an interrupt may come before the last score
        scores[: len(validation.scores)] = validation.scores
        est.history_["validation_score"] = scores
    est.loss_curve_ = est.history_["value"].copy()
    est.restarts_ = np.array(watch.guard.restarts, dtype=int)
    est.solver_ = plan.found
    est.optimality_, est.optimality_kind_ = _optimality(state, watch)
    if result.reason == "max_iter" and watch.certified and est.tol is not None:
        # The certificate was not due at the last iteration, which may have been enough.
        if est.optimality_ <= est.tol:
            result.reason = "converged"
    est.stop_reason_ = result.reason
    est.converged_ = result.reason in ("converged", "no_improvement", "early_stopping")
    est._state = Saved.after(plan, problem, state, est) if plan.solver.streams else None


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


def _warn(est, plan, result, watch):
    if result.reason != "max_iter" or est.tol is None:
        return
    if not watch.certified or not np.isfinite(watch.reference):
        reached = f"F = {result.state.value:.6g}, before any rule to stop held"
        advice = "Raise max_iter, or tol if that is near enough"
    else:
        figure = "duality gap" if est.optimality_kind_ == "gap" else "violation"
        reached = f"optimality ({figure}) {est.optimality_:.1e} > tol={est.tol:.1e}"
        advice = "Raise max_iter, or tol if that is near enough; eta0='auto' scales the columns"
    warnings.warn(
        f"{type(est).__name__} stopped after max_iter={est.max_iter} iterations at {reached}. "
        f"{advice}.",
        ConvergenceWarning,
        stacklevel=6,
    )
