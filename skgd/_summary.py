"""A fitted model in a few lines of text."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._estimators import GDClassifier, GDRegressor

__all__ = ["check_fitted", "check_ours", "history_frame", "summary"]


def check_ours(est, way="", alpha=False):
    """Raise TypeError where ``est`` is no estimator of skgd, or none with an ``alpha`` to set.

    The message may end with a way out.
    """
    ours = isinstance(est, (GDClassifier, GDRegressor))
    if not ours or (alpha and not hasattr(est, "alpha")):
        raise TypeError(f"est must be a GDClassifier or a GDRegressor; got {est!r}.{way}")


def check_fitted(est):
    """Raise where there is no fit of an estimator of skgd to tell of.

    Raises
    ------
    TypeError
        If it is no estimator of skgd; of what may hold one the message says where.
    sklearn.exceptions.NotFittedError
        If it has not been fitted.
    """
    way = ""
    if hasattr(est, "history_"):  # what wraps one may show it as its own
        return
    if hasattr(est, "steps"):
        way = " Of a pipeline pass the last step, pipeline[-1]."
    elif hasattr(est, "best_estimator_"):
        way = " Of a search pass its best_estimator_."
    check_ours(est, way)
    check_is_fitted(est)


def summary(est):
    """Return how a fit went, as text.

    Parameters
    ----------
    est : GDRegressor, GDClassifier, GDRegressorCV or GDClassifierCV
        Fitted.

    Returns
    -------
    str
        Several lines: the model, the solver, why it stopped, F, optimality, and the
        number of coefficients that are not zero.

    Raises
    ------
    TypeError
        If ``est`` is none of these, such as a pipeline: pass ``pipeline[-1]``.
    sklearn.exceptions.NotFittedError
        If ``est`` has not been fitted.

    Examples
    --------
    >>> import skgd
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> print(skgd.summary(skgd.GDRegressor().fit(X, y)).splitlines()[0])
    GDRegressor: loss squared_error, penalty l2, alpha 0.0001
    """
    check_fitted(est)
    coef = est.coef_.toarray() if hasattr(est.coef_, "toarray") else est.coef_
    coef = np.atleast_2d(coef)
    history = est.history_
    alpha = est.alpha_ if hasattr(est, "alpha_") else est.alpha
    lines = [
        f"{type(est).__name__}: loss {est.loss}, penalty {est.penalty}, alpha {alpha:g}",
        f"  solver        {est.solver_!r}",
        f"  stopped       {est.stop_reason_} after {est.n_iter_} iterations, "
        f"{est.t_ - 1} updates, {np.nansum(history['seconds'][-1:]):.3g} s",
    ]
    if len(est.loss_curve_):
        lines.append(f"  F             {est.loss_curve_[-1]:.8g} (first {est.loss_curve_[0]:.8g})")
    lines.append(f"  optimality    {est.optimality_:.2e} ({est.optimality_kind_})")
    if len(history.get("validation_score", ())):
        lines.append(f"  validation    best {np.nanmax(history['validation_score']):.6g}")
    lines.append(
        f"  coefficients  {coef.shape[0]} x {coef.shape[1]}, {np.count_nonzero(coef)} not zero"
    )
    return "\n".join(lines)


def history_frame(est):
    """Return ``history_`` as a table.

    Parameters
    ----------
    est : GDRegressor, GDClassifier, GDRegressorCV or GDClassifierCV
        Fitted.

    Returns
    -------
    pandas.DataFrame
        A row for each iteration, with the iteration (from 1) as index, and a column for each
        array of ``history_``.

    Raises
    ------
    TypeError
        If ``est`` is none of these, such as a pipeline: pass ``pipeline[-1]``.
    sklearn.exceptions.NotFittedError
        If ``est`` has not been fitted.
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> import skgd
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = skgd.GDRegressor(solver="sgd", max_iter=3, tol=None).fit(X, y)
    >>> skgd.history_frame(est).columns.tolist()
    ['value', 'violation', 'rate', 'seconds']
    """
    check_fitted(est)
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "history_frame makes a pandas.DataFrame, and pandas is not installed: pip install "
            "pandas, or take the arrays in est.history_."
        ) from error
    index = pandas.RangeIndex(1, len(est.history_["value"]) + 1, name="iteration")
    return pandas.DataFrame(est.history_, index=index)
