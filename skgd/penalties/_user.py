"""A user's own penalty: any object with ``value`` and ``prox``."""

from functools import cached_property

from .._signatures import takes_xp
from ._base import Penalty

__all__ = ["UserPenalty"]


class UserPenalty(Penalty):
    r"""Adapter that gives a user's object what solvers expect of a penalty.

    All of the penalty is handled by its proximal step, a smooth part too.

    Parameters
    ----------
    penalty : object
        Has ``value(coef)``, at unit strength, and ``prox(coef, t)``, which returns
        :math:`\arg\min_u \tfrac12 \|u - w\|^2 + t R(u)`. Either may take the array
        namespace ``xp`` as a last argument. With an attribute ``separable = True`` its
        ``prox`` acts coordinate by coordinate and takes an array for ``t``.

    Raises
    ------
    TypeError
        By `check`, if ``value`` or ``prox`` is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.penalties import UserPenalty
    >>> class NonNegative:
    ...     separable = True
    ...     def value(self, coef):
    ...         return 0.0
    ...     def prox(self, coef, t):
    ...         return np.clip(coef, 0, None)
    >>> UserPenalty(NonNegative()).prox(np.array([-1.0, 2.0]), 0.1, np)
    array([0., 2.])
    """

    def __init__(self, penalty):
        self.penalty = penalty

    def check(self):
        missing = [m for m in ("value", "prox") if not callable(getattr(self.penalty, m, None))]
        if missing:
            raise TypeError(
                f"penalty must be a name, None, or an object with methods value(coef) and "
                f"prox(coef, t); {self.penalty!r} has no {' and no '.join(missing)}."
            )
        if callable(getattr(self.penalty, "check", None)):
            self.penalty.check()

    @property
    def name(self):
        return getattr(self.penalty, "name", None) or type(self.penalty).__name__

    @property
    def separable(self):
        return bool(getattr(self.penalty, "separable", False))

    # The signatures are read once, not at every step.
    @cached_property
    def _value_takes_xp(self):
        return takes_xp(self.penalty.value, 1)

    @cached_property
    def _prox_takes_xp(self):
        return takes_xp(self.penalty.prox, 2)

    def value(self, coef, xp):
        extra = (xp,) if self._value_takes_xp else ()
        return float(self.penalty.value(coef, *extra))

    def gradient(self, coef, xp):
        return xp.zeros_like(coef)

    def prox(self, coef, t, xp):
        extra = (xp,) if self._prox_takes_xp else ()
        moved = self.penalty.prox(coef, t, *extra)
        shape = tuple(getattr(moved, "shape", ()))
        if shape != tuple(coef.shape):
            raise ValueError(
                f"{self.name}.prox must return an array of shape {tuple(coef.shape)}; "
                f"got shape {shape}."
            )
        return moved

    def violation(self, coef, grad, alpha, xp):
        """Return how far a proximal gradient step of length 1 would go.

        Parameters
        ----------
        coef, grad : array
            Coefficients, and gradient of the loss part only.
        alpha : float
            Strength of the penalty.
        xp : namespace
            Array namespace of both.

        Returns
        -------
        float
            Largest entry of ``|coef - prox(coef - grad, alpha)|``; 0 exactly at an
            optimum. A subdifferential is not known here.
        """
        return float(xp.max(xp.abs(coef - self.prox(coef - grad, alpha, xp))))
