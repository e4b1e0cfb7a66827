"""The one route from X, y and parameters to coefficients: ``fit``."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from ._build import (
    Data,
    given_start,
    make_problem,
    null_point,
    scaled_problem,
)
from ._compat import callbacks_of
from ._descend import descend
from ._few import fit_on_few, worth_few
from ._params import decided
from ._resume import Origin, check_resumable, drawn_anew
from ._targets import check_weights
from .objectives import are_finite, compressed

__all__ = ["fit", "moderate"]

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
    check=None,
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
    check : callable, default=None
        Looks for entries of X that are not finite, and raises; asked where the moments of the
        columns, which nearly all solvers want anyway, do not say that there are none.

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
    start, small = given_start(plain.objective, coef_init, intercept_init), None
    watched = callbacks_of(est) or validation is not None
    if not watched and record is None and start is None and worth_few(plan, plain):
        small = compressed(plain.objective)  # None if a row that has a weight is not finite
    seen = small is not None and plain.objective.n_active == plain.objective.n_rows
    if check is not None and not seen and not are_finite(plain.objective):
        check()
    if small is not None:
        found = fit_on_few(est, plan, small, rng)
        if found is not None:
            result, watch, _ = found
            _warn(est, plan, result, watch)
            return result.interrupt
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


def _warn(est, plan, result, watch):
    if result.reason != "max_iter" or est.tol is None:
        return
    advice = "Raise max_iter, or tol if that is near enough"
    if not watch.certified or not np.isfinite(watch.reference):
        reached = f"F = {result.state.value:.6g}, before any rule to stop held"
    else:
        figure = "duality gap" if est.optimality_kind_ == "gap" else "violation"
        reached = f"optimality ({figure}) {est.optimality_:.1e} > tol={est.tol:.1e}"
        if watch.problem.inv_scale is None:
            advice += "; eta0='auto' and learning_rate='auto' scale the columns"
    warnings.warn(
        f"{type(est).__name__} stopped after max_iter={est.max_iter} iterations at {reached}. "
        f"{advice}.",
        ConvergenceWarning,
        stacklevel=6,
    )
