"""Nesterov's momentum: the gradient is that of the point looked ahead to."""

from .._ranges import check_number
from ._base import Rule

__all__ = ["Nesterov"]


class Nesterov(Rule):
    r"""Momentum that looks one step ahead.

    .. math:: v_t = \beta v_{t-1} + g_t, \qquad
        \theta_t = \theta_{t-1} - \gamma_t (g_t + \beta v_t)

    Parameters
    ----------
    momentum : float, default=0.9
        Part :math:`\beta` of the last move that is kept, in ``[0, 1)``.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds one vector. ``theta`` is the point looked ahead to, at which the gradient is
    taken: Nesterov's method in the variables of [2]_. The metric of the prox is the sum of
    the weights that gradients have in the move, as in `Momentum`.

    References
    ----------
    .. [1] Y. Nesterov (1983). "A method for solving the convex programming problem with
       convergence rate O(1/k^2)". Soviet Mathematics Doklady 27.
    .. [2] Y. Bengio, N. Boulanger-Lewandowski, R. Pascanu (2013). "Advances in
       optimizing recurrent networks". ICASSP.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import Nesterov
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=Nesterov(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "nesterov"
    n_vectors = 1
    _kernel = ("nesterov", ("momentum",))

    def __init__(self, momentum=0.9, learning_rate=None, max_iter=None):
        self.momentum = momentum
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def check(self):
        check_number("momentum", self.momentum, low=0, high=1, closed="left")

    def update(self, grad, vectors, scalars, t, xp):
        v = vectors[0]
        v *= self.momentum
        v += grad
        scalars[0] = self.momentum * scalars[0] + 1.0
        return grad + self.momentum * v, 1.0 + self.momentum * float(scalars[0])
