"""Adam: momentum with rates that follow the size of recent gradients."""

from .._ranges import check_number
from ._base import Rule

__all__ = ["Adam", "AdamFamily"]


class AdamFamily(Rule):
    """The two decaying averages that Adam and its relatives share.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Parts of the averages of gradients and of their squares that are kept, in
        ``[0, 1)``.
    epsilon : float, default=1e-8
        Keeps the division finite where all gradients were zero. Positive.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.
    """

    n_vectors = 2
    adaptive = True

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8, learning_rate=None, max_iter=None):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def check(self):
        check_number("beta_1", self.beta_1, low=0, high=1, closed="left")
        check_number("beta_2", self.beta_2, low=0, high=1, closed="left")
        check_number("epsilon", self.epsilon, low=0, closed="neither")

    def _average(self, grad, vectors):
        """Bring both averages up to date in place and return them."""
        m, v = vectors[0], vectors[1]
        m *= self.beta_1
        m += (1 - self.beta_1) * grad
        v *= self.beta_2
        v += (1 - self.beta_2) * grad * grad
        return m, v

    def _corrected_metric(self, v, t, xp):
        """Return the metric of ``v``, freed of its start at zero."""
        return 1 / (xp.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)


class Adam(AdamFamily):
    r"""Average of gradients over the root of the average of their squares.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \theta_t &= \theta_{t-1} - \gamma_t
        \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    beta_1 : float, default=0.9
        Part of the average of gradients that is kept, in ``[0, 1)``.
    beta_2 : float, default=0.999
        Part of the average of squared gradients that is kept, in ``[0, 1)``.
    epsilon : float, default=1e-8
        Keeps the division finite where all gradients were zero. Positive.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds two vectors. A move is about one rate long in every coordinate.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba (2015). "Adam: a method for stochastic optimization". ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import Adam
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=Adam(beta_2=0.99), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "adam"
    _kernel = ("adam", ("beta_1", "beta_2", "epsilon"))

    def update(self, grad, vectors, scalars, t, xp):
        m, v = self._average(grad, vectors)
        metric = self._corrected_metric(v, t, xp)
        return m / (1 - self.beta_1**t) * metric, metric
