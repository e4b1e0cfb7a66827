"""What ``solver="auto"`` stands for."""

from ._curvature import FACTORED, block_size, formed_size
from ._given import BOUNDS, RATES, STEPS, given

__all__ = ["automatic", "automatic_stream"]


def automatic(problem, settings):
    """Return the name of the solver that suits a problem.

    ==========================================================  =============
    where                                                       solver
    ==========================================================  =============
    the loss has a kink                                         ``smoothing``
    the same, more than 1,500 coefficients, an l2 part          ``sdca``
    the same, and a rate or a penalty of the user's is given    ``adam``
    or no smooth loss is known near it                          ``adam``
    a rate, a schedule or a bound on the gradient is given      ``gd``
    at most 1,500 coefficients that depend on each other        ``newton``
    softmax of as many columns at most, with l2 or no penalty   ``newton``
    more, and a penalty of the elastic-net family or none       ``lbfgs``
    more, and another penalty                                   ``agd``
    ==========================================================  =============

    Coefficients depend on each other within an output, for softmax across outputs too.

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
            return "adam"
        wide = block_size(objective) > FACTORED and objective.loss.has_dual_step
        return "sdca" if wide and problem.has_l2 else "smoothing"
    if decided:
        return "gd"
    if block_size(objective) <= FACTORED:
        return "newton"
    if formed_size(objective) <= FACTORED and not (problem.has_l1 or problem.custom):
        return "newton"  # class by class
    return "agd" if problem.custom else "lbfgs"


def automatic_stream(loss, penalty, settings):
    """Return the name of the solver that suits a stream.

    ``hedge``, several rates at once, follows what moves without a rate to set; ``sgd``, a step
    for every row, where there is an l1 part or a rate is given. Where loss or penalty have no
    compiled form, ``adam``, whose steps of some rows cost less in Python.

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
        return "adam"
    return "sgd" if lazy[0] > 0 or given(settings, *RATES, *STEPS, *BOUNDS) else "hedge"
