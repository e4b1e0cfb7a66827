"""The docstrings of the estimators that choose their strength, from those of the plain ones."""

import re

__all__ = ["document"]

_SUMMARY = "{plain} whose strength of the penalty is chosen by cross-validation."

_CHOICE = """
    For each fold a path of strengths is followed on the rows outside it, each fit from the one
    before (`regularization_path`), and scored on the rows inside. The strength with the best
    mean score is then fitted on all rows. Of scores that are equal to rounding the strongest
    penalty wins: the largest alpha of its grid, then the largest ``l1_ratio``.
"""

_ALPHAS = """    alphas : int, array-like of shape (n_alphas,) or None, default=None
        Strengths to try. A number makes a grid of so many from the data, as
        `regularization_path` does, for each ``l1_ratio`` its own; None is a grid of 20.
"""
_L1_RATIO = """    l1_ratio : float or list of float, default=0.15
        Share of the l1 norm in ``"elasticnet"``, in ``[0, 1]``; of several the best is chosen
        too.
"""
_SCORING = """    scoring : str, callable or None, default=None
        What is best: None is ``score``, ``"loss"`` minus the mean loss, other strings and
        callables are scikit-learn's scorers; one of them. Larger is better. R2, the ``score``
        of a regressor, is not defined for folds of a single row.
"""
_EARLY = """    early_stopping : bool, default=False
        Must be False: folds choose the strength in place of the time to stop.
"""
_FRACTION = """    validation_fraction : float, default=0.1
        Not used, as ``early_stopping`` is not.
"""
_N_JOBS = """    n_jobs : int or None, default=None
        Threads: folds are taken in parallel, and what is left over goes to the passes of each.
        The result does not depend on it. None takes what the process may use, and 1 inside a
        worker of a parallel search.
    cv : int, splitter, iterable or None, default=None
        Folds, as everywhere in scikit-learn: a number of them (stratified for labels), an
        object with ``split``, or pairs of index arrays. None is five.
    eps : float or None, default=None
        The least strength of a grid as a part of the largest, in ``(0, 1)``. None is as in
        `regularization_path`: 1e-3 with an l1 part, else from the scales of the columns.
    selection : {"best", "one_standard_error"}, default="best"
        ``"one_standard_error"`` takes the strongest penalty whose mean score is at most one
        standard error (of the scores at the best, over folds) below the best one.
    refit : bool, default=True
        Whether the best is fitted on all rows. False leaves ``coef_`` unset, and ``predict``
        raises.
"""
_ATTRIBUTES = """    alpha_, l1_ratio_ : float
        What was chosen.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        Strengths that were tried, decreasing; a row each where ``l1_ratio`` is a list.
    best_score_ : float
        Mean score over folds of what was chosen.
    best_index_ : int
        Its place in ``cv_results_``.
    cv_results_ : dict of ndarray of shape (n_l1_ratios * n_alphas,)
        ``"params"`` (a list of dict: ``alpha``, and ``l1_ratio`` where it is a list),
        ``"param_alpha"``, ``"param_l1_ratio"``, ``"split0_test_score"`` and so on for each
        fold, ``"mean_test_score"``, ``"std_test_score"`` and ``"rank_test_score"``, by l1
        share, then from the largest alpha.
    n_splits_ : int
        Folds.
"""
_EXAMPLES = {
    "GDClassifier": """>>> from sklearn.datasets import load_breast_cancer
    >>> from skgd import GDClassifierCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifierCV(alphas=10, scoring="neg_log_loss").fit(X, y)
    >>> model.score(X, y) > 0.97
    True""",
    "GDRegressor": """>>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressorCV
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> model = GDRegressorCV(penalty="l1", alphas=10).fit(X, y)
    >>> len(model.alphas_), round(model.best_score_, 2)
    (10, 0.48)""",
}


def _swapped(doc, name, text):
    """Return a docstring with the entry of a parameter replaced."""
    entry = re.compile(rf"^    {name} : .*\n(?:(?:        .*)?\n)*?(?=^    \S|^\n|\Z)", re.M)
    found, count = entry.subn(lambda _: text, doc, count=1)
    if count != 1:
        raise LookupError(f"No parameter {name!r} in the docstring.")
    return found


def document(cls):
    """Give a class the docstring of the estimator it chooses for; a class decorator."""
    plain = cls._plain_class
    doc = plain.__doc__
    if doc is None:  # python -OO
        return cls
    lines = doc.split("\n", 1)[1]
    doc = f"{_SUMMARY.format(plain=plain.__name__)}\n{_CHOICE}{lines}"
    for name, text in (
        ("alpha", _ALPHAS),
        ("l1_ratio", _L1_RATIO),
        ("early_stopping", _EARLY),
        ("validation_fraction", _FRACTION),
        ("scoring", _SCORING),
        ("n_jobs", _N_JOBS),
    ):
        doc = _swapped(doc, name, text)
    doc = doc.replace(
        "    Attributes\n    ----------\n", f"    Attributes\n    ----------\n{_ATTRIBUTES}", 1
    )
    doc = re.sub(
        r"(See Also\n    --------\n).*?(?=\n    Notes\n)",
        rf"\g<1>    {plain.__name__} : The same at one strength.\n"
        "    regularization_path : The path by itself.\n",
        doc,
        flags=re.S,
    )
    start = doc.index("    Examples\n    --------\n")
    cls.__doc__ = f"{doc[:start]}    Examples\n    --------\n    {_EXAMPLES[plain.__name__]}\n    "
    return cls
