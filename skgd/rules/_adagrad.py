"""AdaGrad: rates that fall with the squared gradients seen so far."""

from .._ranges import check_number
from ._base import Rule

__all__ = ["AdaGrad"]


class AdaGrad(Rule):
    r"""Every coordinate has a rate that falls as its gradients add up.

    .. math:: G_t = G_{t-1} + g_t^2, \qquad
        \theta_t = \theta_{t-1} - \gamma_t \frac{g_t}{\sqrt{G_t} + \epsilon}

    Parameters
    ----------
    epsilon : float, default=1e-10
        Keeps the division finite where all gradients were zero. Positive.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds one vector. Rare columns keep large rates.

    References
    ----------
    .. [1] J. Duchi, E. Hazan, Y. Singer (2011). "Adaptive subgradient methods for online
       learning and stochastic optimization". JMLR 12.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import AdaGrad
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=AdaGrad(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "adagrad"
    n_vectors = 1
    adaptive = True
    # The metric falls with the square root of the steps by itself. Together with 0.75 the
    # rates would have a finite sum, and the run would end short of the optimum.
    auto_power, mean_power = 0.25, 0.0
    _kernel = ("adagrad", ("epsilon",))

    def __init__(self, epsilon=1e-10, learning_rate=None, max_iter=None):
        self.epsilon = epsilon
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def check(self):
        check_number("epsilon", self.epsilon, low=0, closed="neither")

    def update(self, grad, vectors, scalars, t, xp):
        total = vectors[0]
        total += grad * grad
        metric = 1 / (xp.sqrt(total) + self.epsilon)
        return grad * metric, metric
