"""What ``solver="auto"`` stands for."""

import math

import numpy as np

from ._curvature import FACTORED, block_size, formed_size
from ._given import BOUNDS, RATES, STEPS, given

__all__ = ["automatic", "automatic_stream"]

_STEEP = 500.0  # what rows do to each other's slopes, up to which dual ascent needs few passes
_CROWDED, _FLAT = 2.0, 30.0  # rows a column, from which it is no more than this
_ROOMY, _SHEER = 0.75, 5e4  # and up to which it may be this: each row has something of its own
_SHARED = 5e3  # the same for several outputs with l2 alone, where the second derivative jumps
_CLOSE, _SMOOTH = 0.5, 250.0  # the same where the slopes of the loss bend everywhere
_TIGHT = 50.0  # and for other smooth losses
_MANY = 0.1  # of all entries stored: such rows are seldom as unlike each other as those of text
_GENTLE, _LITTLE = 50.0, 0.1  # from which `lbfgs` needs many steps; more where curvatures jump
_FEW, _ALIKE = 10, 0.9  # a tenth of the columns, and what part of |x|^2 they may hold


def automatic(problem, settings):
    """Return the name of the solver that suits a problem.

    ==========================================================  =============
    where                                                       solver
    ==========================================================  =============
    the loss has a kink                                         ``smoothing``
    the same, more than 1,500 coefficients, rows that fit       ``sdca``
    the same, and a rate or a penalty of the user's is given    ``adam``
    or no smooth loss is known near it                          ``adam``
    a rate, a schedule or a bound on the gradient is given      ``gd``
    ``huber`` with a narrow band, and an l1 part                ``smoothing``
    ``huber`` and ``squared_hinge`` of several outputs          ``smoothing``
    at most 1,500 coefficients that depend on each other        ``newton``
    softmax of as many columns at most, with l2 or no penalty   ``newton``
    more, no softmax, and rows that fit a smooth loss           ``sdca``
    the same, ``huber`` or ``squared_hinge`` with l2 alone      ``smoothing``
    more, and ``squared_hinge`` with an l1 part                 ``smoothing``
    more, no softmax, and another smooth loss with l2 alone     ``newton``
    more, and any other penalty of the elastic-net family       ``lbfgs``
    more, and another penalty                                   ``agd``
    ==========================================================  =============

    Coefficients depend on each other within an output, for softmax across outputs too. Rows fit
    where there is an l2 part and the mean of ``|x|^2 / (n alpha)``, the part of alpha that is
    l2, is at most 500: about what passes `sdca` needs. Where there are at most three quarters as
    many rows as columns it needs fewer, and 50,000 will do; where more than twice as many, 30. Of
    dense rows x is centred, with an intercept. Smooth losses ask for more: a tenth of the columns
    that hold at most nine tenths of ``|x|^2``; and an l1 part no larger than the l2 part, for
    ``squared_error`` none. Where the second derivative jumps, as of ``huber`` and of squared
    hinges and tubes, no more rows than columns and a figure from 0.1 to 50, or to 50,000 up to
    three quarters as many (5,000 for several outputs and l2 alone); elsewhere half as many rows
    as columns at most, and from 50 to 250: few steps of `lbfgs` do below, which are the first of
    `newton` and `smoothing` too. Not above 50 where more than a tenth of the entries is stored. A
    band is narrow up to one standard deviation of the targets.

    Parameters
    ----------
    problem : Problem
        In the user's variables.
    settings : Settings
        What the user gave beside the solver.

    Returns
    -------
    str
        A key of ``SOLVERS``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> GDRegressor().fit(X, y).solver_, GDRegressor("absolute_error").fit(X, y).solver_
    (Newton(), Smoothing())
    """
    objective = problem.objective
    decided = given(settings, *RATES, *BOUNDS)
    if not objective.loss.smooth:
        known = objective.loss.smoothed(1.0) is not None and not problem.custom
        if not known or decided:
            return _by_batches(problem.penalty)
        wide, share = block_size(objective) > FACTORED, _rows_a_column(objective)
        most = _FLAT if share > _CROWDED else _STEEP if share > _ROOMY else _SHEER
        return "sdca" if wide and _steepness(problem, settings) <= most else "smoothing"
    if decided:
        return "gd"
    # Where the second derivative jumps, rows come and go in a Hessian.
    rounded = objective.loss.jumps and objective.loss.smoothed(1.0) is not None
    if block_size(objective) <= FACTORED:
        several = rounded and objective.n_outputs > 1 and not problem.custom
        return "smoothing" if several or (problem.has_l1 and _narrow(objective)) else "newton"
    if formed_size(objective) <= FACTORED and not (problem.has_l1 or problem.custom):
        return "newton"  # class by class
    if problem.custom:
        return "agd"
    if _suits_dual(problem, settings):
        return "sdca"
    if problem.has_l1 and rounded and not objective.loss.band:
        return "smoothing"
    if problem.has_l1 or not problem.has_l2 or objective.loss.joint:
        return "lbfgs"
    return "smoothing" if rounded else "newton"


def _by_batches(penalty):
    """Return a stochastic solver whose metric a penalty can follow."""
    return "adam" if penalty.lazy() is not None or penalty.separable else "sgd"


def _narrow(objective):
    """Return whether nearly all rows lie where a loss that is quadratic near zero is not."""
    return 0.0 < objective.loss.band <= objective.loss.unit(objective.y, objective.s)


def _suits_dual(problem, settings):
    """Return whether `SDCA` is faster than `LBFGS` where the loss is smooth."""
    objective, loss = problem.objective, problem.objective.loss
    if loss.joint or (loss.name == "squared_error" and problem.has_l1):
        return False
    # More rows than columns, or a strong l1 part, and rows disturb each other far more.
    share = _rows_a_column(objective)
    if share > (1.0 if loss.jumps else _CLOSE) or problem.pull > problem.decay:
        return False
    least, most = _LITTLE if loss.jumps else _GENTLE, _TIGHT
    if objective.n_stored <= _MANY * objective.n_rows * objective.n_features:
        most = _SMOOTH
        if loss.jumps:
            shared = objective.n_outputs > 1 and not problem.has_l1
            most = _TIGHT if share > _ROOMY else _SHARED if shared else _SHEER
    return least <= _steepness(problem, settings, apart=True) <= most


def _rows_a_column(objective):
    return objective.n_active / max(objective.n_features, 1)


def _steepness(problem, settings, apart=False):
    """Return about how many passes `SDCA` needs, infinity where it cannot be or is refused.

    With ``apart`` also where a few columns hold nearly all that rows are, so that these are alike.
    """
    objective = problem.objective
    if not (objective.loss.has_dual_step and problem.has_l2) or given(settings, *STEPS):
        return math.inf
    mean, square, *_ = objective.moments()
    with np.errstate(over="ignore"):  # whoever scales the columns says so in words
        if objective.sparse or not objective.fit_intercept:
            square = square + mean * mean  # not centred
        total = float(square.sum())
    if apart:
        few = max(1, min(objective.n_active, objective.n_features) // _FEW)
        if not float(np.partition(square, -few)[-few:].sum()) <= _ALIKE * total:
            return math.inf
    return total / (objective.n_active * problem.decay)


def automatic_stream(loss, penalty, settings):
    """Return the name of the solver that suits a stream.

    ``hedge``, several rates at once, follows what moves without a rate to set; ``sgd``, a step
    for every row, where there is an l1 part or a rate is given. Where loss or penalty have no
    compiled form, ``adam``, whose steps of some rows cost less in Python, but ``sgd`` for a penalty
    that is not separable, which takes no metric.

    Parameters
    ----------
    loss : Loss
        What is minimised.
    penalty : Penalty
        Beside it.
    settings : Settings
        What the user gave beside the solver.

    Returns
    -------
    str
        A key of ``SOLVERS``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> GDRegressor().partial_fit(X, y).solver_
    Hedge()
    >>> GDRegressor(penalty="l1").partial_fit(X, y).solver_
    SGD()
    """
    lazy = penalty.lazy()
    if loss.pointwise() is None or lazy is None:
        return _by_batches(penalty)
    return "sgd" if lazy[0] > 0 or given(settings, *RATES, *STEPS, *BOUNDS) else "hedge"
