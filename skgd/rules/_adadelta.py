"""AdaDelta: moves in the units of the coefficients, of the size of recent moves."""

from .._ranges import check_number
from ._base import Rule

__all__ = ["AdaDelta"]


class AdaDelta(Rule):
    r"""Scales the gradient by recent moves over recent gradients.

    .. math::

        E_t &= \rho E_{t-1} + (1 - \rho) g_t^2 \\
        \Delta_t &= \frac{\sqrt{D_{t-1} + \epsilon}}{\sqrt{E_t + \epsilon}} \, g_t,
        \qquad \theta_t = \theta_{t-1} - \gamma_t \Delta_t \\
        D_t &= \rho D_{t-1} + (1 - \rho) \Delta_t^2

    Parameters
    ----------
    decay : float, default=0.95
        Part :math:`\rho` of both averages that is kept, in ``[0, 1)``.
    epsilon : float, default=1e-6
        Sets the size of the first moves, about ``sqrt(epsilon)``. Positive.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds two vectors, ``E`` and ``D``. In the paper the rate is 1.

    References
    ----------
    .. [1] M. D. Zeiler (2012). "ADADELTA: an adaptive learning rate method".
       arXiv:1212.5701.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import AdaDelta
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=AdaDelta(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "adadelta"
    n_vectors = 2
    adaptive = True
    # As of RMSProp.
    least_batch = 64
    least_entries = 1.0
    least_steps = 64
    most_steps = 192
    # The more so where a few rows have most of the gradient.
    most_tail = 10.0
    _kernel = ("adadelta", ("decay", "epsilon"))

    def __init__(self, decay=0.95, epsilon=1e-6, learning_rate=None, max_iter=None):
        self.decay = decay
        self.epsilon = epsilon
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def check(self):
        check_number("decay", self.decay, low=0, high=1, closed="left")
        check_number("epsilon", self.epsilon, low=0, closed="neither")

    def update(self, grad, vectors, scalars, t, xp):
        squares, moves = vectors[0], vectors[1]
        squares *= self.decay
        squares += (1 - self.decay) * grad * grad
        metric = xp.sqrt(moves + self.epsilon) / xp.sqrt(squares + self.epsilon)
        move = grad * metric
        moves *= self.decay
        moves += (1 - self.decay) * move * move
        return move, metric
