"""NAdam: Adam with Nesterov's momentum."""

from .._ranges import check_number
from ._adam import AdamFamily

__all__ = ["NAdam"]


class NAdam(AdamFamily):
    r"""Adam that looks one step ahead, with a momentum that grows.

    With :math:`m_t` and :math:`\hat v_t` as in `Adam`,

    .. math::

        \mu_t &= \beta_1 (1 - \tfrac12 \, 0.96^{t \psi}) \\
        \hat m_t &= \frac{\mu_{t+1} m_t}{1 - \prod_{i=1}^{t+1} \mu_i}
        + \frac{(1 - \mu_t) g_t}{1 - \prod_{i=1}^{t} \mu_i}, \qquad
        \theta_t = \theta_{t-1} - \gamma_t \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

    Parameters
    ----------
    beta_1 : float, default=0.9
        Part of the average of gradients that is kept, in ``[0, 1)``.
    beta_2 : float, default=0.999
        Part of the average of squared gradients that is kept, in ``[0, 1)``.
    epsilon : float, default=1e-8
        Keeps the division finite where all gradients were zero. Positive.
    momentum_decay : float, default=0.004
        :math:`\psi`, at least 0: how fast the momentum grows from half of ``beta_1``
        to all of it.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds two vectors, and in ``scalars[0]`` the product of :math:`\mu_i` less 1, so
    that zero is the start. The same recurrence as `torch.optim.NAdam`.

    References
    ----------
    .. [1] T. Dozat (2016). "Incorporating Nesterov momentum into Adam". ICLR workshop.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import NAdam
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=NAdam(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "nadam"
    _kernel = ("nadam", ("beta_1", "beta_2", "epsilon", "momentum_decay"))

    def __init__(
        self,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        momentum_decay=0.004,
        learning_rate=None,
        max_iter=None,
    ):
        super().__init__(beta_1, beta_2, epsilon, learning_rate, max_iter)
        self.momentum_decay = momentum_decay

    def check(self):
        super().check()
        check_number("momentum_decay", self.momentum_decay, low=0)

    def _mu(self, t):
        """Return the momentum of step ``t``."""
        return self.beta_1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def update(self, grad, vectors, scalars, t, xp):
        m, v = self._average(grad, vectors)
        mu, after = self._mu(t), self._mu(t + 1)
        product = (1 + float(scalars[0])) * mu
        scalars[0] = product - 1
        ahead = after / (1 - product * after) * m + (1 - mu) / (1 - product) * grad
        metric = self._corrected_metric(v, t, xp)
        return ahead * metric, metric
