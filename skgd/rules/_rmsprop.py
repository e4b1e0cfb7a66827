"""RMSProp: rates that follow the size of recent gradients."""

from .._ranges import check_number
from ._base import Rule

__all__ = ["RMSProp"]


class RMSProp(Rule):
    r"""Divides the gradient by the root mean square of recent ones.

    .. math:: E_t = \rho E_{t-1} + (1 - \rho) g_t^2, \qquad
        \theta_t = \theta_{t-1} - \gamma_t \frac{g_t}{\sqrt{E_t} + \epsilon}

    Parameters
    ----------
    decay : float, default=0.9
        Part :math:`\rho` of the average that is kept, in ``[0, 1)``.
    epsilon : float, default=1e-8
        Keeps the division finite where all gradients were zero. Positive.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds one vector. The average starts at zero and is not corrected for it, so first
    moves are up to ``1 / sqrt(1 - decay)`` rates long.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton (2012). "Lecture 6.5 - RMSProp". COURSERA: Neural
       Networks for Machine Learning.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import RMSProp
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=RMSProp(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "rmsprop"
    n_vectors = 1
    adaptive = True
    # The metric follows few steps, so with few rows a step, or few entries of a column, large
    # gradients are divided by themselves, and what the run finds is not the optimum of F. With
    # few steps it does not find it in time.
    least_batch = 64
    least_entries = 2.0
    least_steps = 16
    most_steps = 128
    # The more so where a few rows have most of the gradient.
    most_tail = 10.0
    _kernel = ("rmsprop", ("decay", "epsilon"))

    def __init__(self, decay=0.9, epsilon=1e-8, learning_rate=None, max_iter=None):
        self.decay = decay
        self.epsilon = epsilon
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def check(self):
        check_number("decay", self.decay, low=0, high=1, closed="left")
        check_number("epsilon", self.epsilon, low=0, closed="neither")

    def update(self, grad, vectors, scalars, t, xp):
        squares = vectors[0]
        squares *= self.decay
        squares += (1 - self.decay) * grad * grad
        metric = 1 / (xp.sqrt(squares) + self.epsilon)
        return grad * metric, metric
