"""AMSGrad: Adam with rates that never rise."""

from ._adam import AdamFamily

__all__ = ["AMSGrad"]


class AMSGrad(AdamFamily):
    r"""Adam, divided by the largest average of squares so far.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \hat v_t &= \max(\hat v_{t-1}, v_t), \qquad
        \theta_t = \theta_{t-1} - \gamma_t \frac{m_t}{\sqrt{\hat v_t} + \epsilon}

    Parameters
    ----------
    beta_1 : float, default=0.9
        Part of the average of gradients that is kept, in ``[0, 1)``.
    beta_2 : float, default=0.999
        Part of the average of squared gradients that is kept, in ``[0, 1)``.
    epsilon : float, default=1e-8
        Keeps the division finite where all gradients were zero. Positive; the paper
        has none.
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`. Estimators take ``eta0`` and
        ``learning_rate`` themselves, and refuse a rule that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    Holds three vectors. As in the paper, and unlike `torch.optim.Adam` with
    ``amsgrad=True``, the averages are not corrected for their start at zero.

    References
    ----------
    .. [1] S. J. Reddi, S. Kale, S. Kumar (2018). "On the convergence of Adam and
       beyond". ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import AMSGrad
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=AMSGrad(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "amsgrad"
    n_vectors = 3
    # The metric falls by itself while its largest second moment grows from zero, which
    # takes 1 / (1 - beta_2) steps.
    auto_power = 0.25
    _kernel = ("amsgrad", ("beta_1", "beta_2", "epsilon"))

    def update(self, grad, vectors, scalars, t, xp):
        m, v = self._average(grad, vectors)
        largest = vectors[2]
        largest[...] = xp.maximum(largest, v)
        metric = 1 / (xp.sqrt(largest) + self.epsilon)
        return m * metric, metric
