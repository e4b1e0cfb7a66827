"""Plain gradient step."""

from ._base import Rule

__all__ = ["SGD"]


class SGD(Rule):
    r"""The move is the gradient.

    .. math:: \theta_t = \theta_{t-1} - \gamma_t g_t

    Parameters
    ----------
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds no vectors.

    References
    ----------
    .. [1] H. Robbins, S. Monro (1951). "A stochastic approximation method". Annals of
       Mathematical Statistics 22(3).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import SGD
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=SGD(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "sgd"
    _kernel = ("sgd", ())

    def __init__(self, learning_rate=None, max_iter=None):
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def update(self, grad, vectors, scalars, t, xp):
        return grad, None
