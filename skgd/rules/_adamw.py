"""AdamW: Adam with the l2 shrinkage apart from the gradient."""

from ._adam import AdamFamily

__all__ = ["AdamW"]


class AdamW(AdamFamily):
    r"""Adam's move, and beside it a shrinkage of the coefficients.

    With :math:`\hat m_t` and :math:`\hat v_t` as in `Adam`, of the loss alone, and
    :math:`\lambda` the strength of the l2 term,

    .. math:: \theta_t = (1 - \gamma_t \lambda) \, \theta_{t-1}
        - \gamma_t \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

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
    Holds two vectors. The shrinkage is not divided by the metric, so where it acts the
    limit is not the optimum of the penalised objective; with `Adam` it is. Intercepts
    are not shrunk.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter (2019). "Decoupled weight decay regularization". ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import AdamW
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=AdamW(), random_state=0, alpha=1e-6).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    name = "adamw"
    decoupled = True
    _kernel = ("adamw", ("beta_1", "beta_2", "epsilon"))

    def update(self, grad, vectors, scalars, t, xp):
        m, v = self._average(grad, vectors)
        metric = self._corrected_metric(v, t, xp)
        return m / (1 - self.beta_1**t) * metric, metric
