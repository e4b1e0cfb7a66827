"""Plain gradient step."""

from ._base import Rule

__all__ = ["SGD"]


class SGD(Rule):
    r"""The move is the gradient.

    .. math:: \theta_t = \theta_{t-1} - \gamma_t g_t

    Notes
    -----
    Holds no vectors.

    References
    ----------
    .. [1] H. Robbins, S. Monro (1951). "A stochastic approximation method". Annals of
       Mathematical Statistics 22(3).
    """

    name = "sgd"
    _kernel = ("sgd", ())

    def update(self, grad, vectors, scalars, t, xp):
        return grad, None
