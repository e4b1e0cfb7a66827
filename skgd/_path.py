"""Models at many strengths of the penalty: `regularization_path`."""

import copy
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ._build import given_start
from ._compat import callbacks_of, one_blas_thread
from ._follow import Ground, follow, grid
from ._params import read
from ._ranges import check_number
from ._summary import check_ours

__all__ = [
    "RegularizationPath",
    "check_alphas",
    "check_grid",
    "check_path",
    "ended",
    "regularization_path",
    "strengths",
    "warn_if_short",
]


class RegularizationPath:
    """Models at decreasing strengths of the penalty, from `regularization_path`.

    Parameters
    ----------
    models : sequence of GDRegressor or GDClassifier
        Fitted, the strongest penalty first.
    seconds : sequence of float
        What each took.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Strengths, decreasing.
    coefs : ndarray of shape (n_alphas, ...)
        ``coef_`` at each strength.
    intercepts : ndarray of shape (n_alphas, n_outputs)
        ``intercept_`` at each.
    gaps : ndarray of shape (n_alphas,)
        ``optimality_`` of each: how far from the optimum its F is at most.
    gap_kinds : list of str
        ``optimality_kind_`` of each, ``"gap"`` or ``"violation"``.
    n_iter : ndarray of shape (n_alphas,)
        Iterations that each took.
    converged : ndarray of bool of shape (n_alphas,)
        ``converged_`` of each.
    seconds : ndarray of shape (n_alphas,)
        Time that each took; the checks of the rows are in none of them.

    See Also
    --------
    GDRegressorCV : Choose one of them by cross-validation.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor, regularization_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = regularization_path(GDRegressor(penalty="l1"), X, y, n_alphas=5)
    >>> len(path), path.coefs.shape
    (5, (5, 10))
    >>> bool(path.estimator(-1).alpha == path.alphas[-1])
    True
    """

    def __init__(self, models, seconds):
        self._models = models
        self.alphas = np.array([model.alpha for model in models])
        self.coefs = np.array([model.coef_ for model in models])
        self.intercepts = np.array([model.intercept_ for model in models])
        for model, coef in zip(models, self.coefs, strict=True):
            model.coef_ = coef  # one copy of many is enough
        self.gaps = np.array([model.optimality_ for model in models])
        self.gap_kinds = [model.optimality_kind_ for model in models]
        self.n_iter = np.array([model.n_iter_ for model in models])
        self.converged = np.array([model.converged_ for model in models])
        self.seconds = np.array(seconds)

    def __len__(self):
        return len(self._models)

    def __repr__(self):
        ends = f"{self.alphas[0]:.3g} to {self.alphas[-1]:.3g}"
        return (
            f"RegularizationPath({len(self)} alphas from {ends}, "
            f"largest optimality {self.gaps.max():.1e})"
        )

    def estimator(self, i):
        """Return the fitted estimator at one strength.

        Parameters
        ----------
        i : int
            Place in ``alphas``; negative numbers count from the end.

        Returns
        -------
        GDRegressor or GDClassifier
            A copy, with its ``alpha`` and all fitted attributes.

        Raises
        ------
        IndexError
            If there is no such place.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"i must be in [{-len(self)}, {len(self) - 1}]; got {i}.")
        return copy.deepcopy(self._models[i])


def check_alphas(alphas):
    """Return given strengths as a decreasing array.

    Raises
    ------
    ValueError, TypeError
        If they are not a sequence of finite numbers, none negative.
    """
    try:
        found = np.array(alphas, dtype=float)
    except (TypeError, ValueError):
        found = None
    if found is None or found.ndim != 1 or isinstance(alphas, str):
        raise TypeError(f"alphas must be a sequence of numbers; got {alphas!r}.")
    if not found.size:
        raise ValueError("alphas must hold at least one number; got none.")
    if not (np.isfinite(found) & (found >= 0)).all():
        bad = found[~(np.isfinite(found) & (found >= 0))][0]
        raise ValueError(f"alphas must be in [0, inf); got {bad:g} among them.")
    return np.sort(found)[::-1]


def check_path(est):
    """Raise ValueError where a path of an estimator makes no sense."""
    if est.penalty is None:
        raise ValueError(
            "penalty=None has no strength to follow a path of. Use penalty='l2', 'l1' or "
            "'elasticnet', or call fit."
        )
    if est.early_stopping:
        raise ValueError(
            "early_stopping=True stops each fit short of its optimum, which a path is made of. "
            "Leave it False: the strength takes the place of the time to stop."
        )


def check_grid(n_alphas, eps, name="n_alphas"):
    """Raise where the shape of a grid of strengths makes no sense."""
    check_number(name, n_alphas, low=1, integer=True)
    if eps is not None:
        check_number("eps", eps, low=0, high=1, closed="neither")


def strengths(ground, plan, alphas, n_alphas, eps):
    """Return given strengths, or a grid; both decreasing."""
    if alphas is not None:
        return alphas
    if plan.penalty.lazy() is None:
        raise ValueError(
            f"alphas must be given for penalty={plan.penalty!r}: how strong it has to be to "
            "leave no coefficient is not known."
        )
    return grid(ground, plan, n_alphas, eps)


def ended(model):
    """Return how a fit ended: at ``max_iter`` or not, how near, by which figure, at which alpha."""
    short = model.stop_reason_ == "max_iter"
    return short, model.optimality_, model.optimality_kind_, model.alpha


def warn_if_short(name, ends, max_iter, tol):
    """Warn once where fits along paths, whose `ended` are given, ended at ``max_iter``."""
    short = [end for end in ends if end[0]]
    if not short or tol is None:
        return
    _, optimality, kind, alpha = max(short)
    warnings.warn(
        f"{len(short)} of {len(ends)} fits of {name} stopped after max_iter={max_iter} "
        f"iterations, the worst at alpha={alpha:.3g} with optimality ({kind}) {optimality:.1e}; "
        f"tol={tol:.1e}. Raise max_iter, or tol if that is near enough, or leave out the smallest "
        "alphas.",
        ConvergenceWarning,
        stacklevel=3,
    )


def regularization_path(est, X, y, *, alphas=None, n_alphas=20, eps=None, sample_weight=None):
    r"""Fit an estimator at many strengths of its penalty, each from the one before.

    .. math::

        \theta_k = \arg\min_{W, b} \frac{1}{\sum_i s_i} \sum_i s_i \, \ell(y_i, x_i W^T + b)
                   + \alpha_k R(W), \qquad \alpha_1 > \alpha_2 > \dots

    Every point is an optimum to the estimator's ``tol`` and says so itself, as a fit of its own
    would; rows are checked and their moments taken once, and what one strength has found out
    (point, margins, gradient, Hessian) is where the next one begins.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Any loss, solver, and penalty but None. Not changed; its ``alpha`` is not used. With
        ``warm_start=True`` and fitted, the first point is sought from its coefficients.
    X : {array-like, sparse matrix} of shape (n_rows, n_features)
        Rows.
    y : array-like of shape (n_rows,) or (n_rows, n_targets)
        Labels or targets, as for its ``fit``.
    alphas : array-like of shape (n_alphas,), default=None
        Strengths, in ``[0, inf)`` and any order. None takes a grid of ``n_alphas``, each the
        same part of the one before. With an l1 part it begins where all coefficients are zero,
        at :math:`\max_j |g_j| / \rho` with the gradient :math:`g` at zero coefficients and the
        best intercept and the share :math:`\rho` of the l1 norm. For ``"l2"`` it begins at ten
        times the curvature :math:`h g^T C g / g^T g` along the gradient, with the covariance
        :math:`C` of the columns and the change :math:`h` of slopes over a unit of the loss: a
        step that way is then an eleventh of what it would be without a penalty.
    n_alphas : int, default=20
        Strengths of the grid, at least 1.
    eps : float, default=None
        The least strength of the grid as a part of the largest, in ``(0, 1)``. None is 1e-3
        with an l1 part. For ``"l2"`` it is 1e-6, or less where columns differ much in scale: a
        hundredth of the curvature of a column that is flatter than nine tenths of them.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of rows.

    Returns
    -------
    RegularizationPath
        Coefficients, certificates and models, the strongest penalty first.

    Raises
    ------
    ValueError, TypeError
        If a parameter or an array cannot be used; the message names it.

    Notes
    -----
    `Newton` goes on with the Hessian of the strength before: a point costs two or three
    readings of X. For the squared error, solvers that see all rows at each step and at most
    1,500 columns (and targets), the rows are replaced by as few as there are columns with the
    same squared errors, which costs what one Hessian of all rows does; no point reads X then.
    ``loss_curve_`` and ``optimality_`` are those of all rows, rounding included. Stochastic
    solvers begin at the point before and read the rows as ever.

    Where a run ends at ``max_iter`` the whole path warns once.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani (2010). "Regularization paths for generalized
       linear models via coordinate descent". Journal of Statistical Software 33.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor, regularization_path
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> path = regularization_path(GDRegressor(penalty="l1"), X, y, n_alphas=5)
    >>> (path.coefs != 0).sum(axis=1).tolist()[0]
    0
    >>> bool((path.gaps <= 1e-4).all())
    True
    """
    check_ours(est, alpha=True)  # which those that choose theirs by folds have not
    if callbacks_of(est):
        raise ValueError(
            "Callbacks watch one fit, and a path is many. Call est.set_callbacks() to take them "
            "off, or fit a single strength."
        )
    check_grid(n_alphas, eps)
    model = clone(est)
    if alphas is not None:
        alphas = check_alphas(alphas)
        model.alpha = float(alphas[-1])
    check_path(model)
    plan = read(model, model._kind, "fit")
    data = model._rows(X, y, sample_weight, plan.loss, reset=True)
    with one_blas_thread(data.X.shape):
        ground = Ground(model, plan, data)
        alphas = strengths(ground, plan, alphas, n_alphas, eps)
        start = given_start(ground.objective, *est._start(None, None).values())
        found = list(follow(model, model._kind, ground, alphas, start))
    models, seconds = zip(*found, strict=True)
    warn_if_short(type(est).__name__, [ended(one) for one in models], est.max_iter, est.tol)
    return RegularizationPath(models, seconds)
