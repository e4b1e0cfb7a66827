"""Heavy ball: part of the last move is kept."""

from .._ranges import check_flag, check_number
from ._base import Rule

__all__ = ["Momentum"]


class Momentum(Rule):
    r"""Gradient step that keeps part of its last move.

    .. math:: v_t = \beta v_{t-1} + g_t, \qquad
        \theta_t = \theta_{t-1} - \gamma_t v_t

    Parameters
    ----------
    momentum : float, default=0.9
        Part :math:`\beta` that is kept, in ``[0, 1)``.
    averaged : bool, default=False
        Whether the gradient enters as :math:`(1 - \beta) g_t`. The move is then an
        average of gradients and as long as one, instead of :math:`1 / (1 - \beta)`
        times as long.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds one vector. The metric of the prox is the sum of the weights that gradients have
    in the move, so that a penalty which is not smooth keeps its strength beside them.

    References
    ----------
    .. [1] B. T. Polyak (1964). "Some methods of speeding up the convergence of
       iteration methods". USSR Computational Mathematics and Mathematical Physics 4(5).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import Momentum
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=Momentum(0.8), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "momentum"
    n_vectors = 1
    _kernel = ("momentum", ("momentum", "averaged"))

    def __init__(self, momentum=0.9, averaged=False, learning_rate=None, max_iter=None):
        self.momentum = momentum
        self.averaged = averaged
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def check(self):
        check_number("momentum", self.momentum, low=0, high=1, closed="left")
        check_flag("averaged", self.averaged)

    def update(self, grad, vectors, scalars, t, xp):
        v = vectors[0]
        part = 1 - self.momentum if self.averaged else 1.0
        v *= self.momentum
        v += part * grad
        scalars[0] = self.momentum * scalars[0] + part
        # A copy: a caller that keeps the move would see it change with the memory.
        return 1 * v, float(scalars[0])
