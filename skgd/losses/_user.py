"""A user's own loss: any object with ``value`` and ``gradient``."""

from functools import cached_property

import numpy as np

from .._signatures import takes_xp
from ._base import Loss
from ._start import deviation

__all__ = ["UserLoss"]


class UserLoss(Loss):
    """Adapter that gives a user's object what solvers expect of a loss.

    Parameters
    ----------
    loss : object
        Has ``value(y, eta)`` and ``gradient(y, eta)``, elementwise functions of arrays
        of one shape, (n_rows,) or (n_rows, n_outputs). Either may take the array
        namespace ``xp`` as a third argument. In classification, targets are +1 and -1.
        Attributes and methods of `Loss` that the object has (``smooth``,
        ``curvature``, ``y_domain``, ``kinds``, ``inverse_link``, ``proba``,
        ``hessian``, ``start``, ``unit``) are used; without them the loss counts as smooth, of
        unknown curvature, and usable for both tasks.

    Raises
    ------
    TypeError
        By `check`, if ``value`` or ``gradient`` is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import UserLoss
    >>> class Cubic:
    ...     def value(self, y, eta):
    ...         return abs(eta - y) ** 3
    ...     def gradient(self, y, eta):
    ...         return 3 * (eta - y) * abs(eta - y)
    >>> UserLoss(Cubic()).value(np.zeros(2), np.array([1.0, 2.0]), np)
    array([1., 8.])
    """

    def __init__(self, loss):
        self.loss = loss

    def check(self):
        missing = [m for m in ("value", "gradient") if not callable(getattr(self.loss, m, None))]
        if missing:
            raise TypeError(
                f"loss must be a name or an object with methods value(y, eta) and "
                f"gradient(y, eta); {self.loss!r} has no {' and no '.join(missing)}."
            )
        if callable(getattr(self.loss, "check", None)):
            self.loss.check()

    @property
    def name(self):
        return getattr(self.loss, "name", None) or type(self.loss).__name__

    @property
    def kinds(self):
        return frozenset(getattr(self.loss, "kinds", ("regression", "classification")))

    @property
    def smooth(self):
        return bool(getattr(self.loss, "smooth", True))

    @property
    def curvature(self):
        return getattr(self.loss, "curvature", None)

    @property
    def has_proba(self):
        return callable(getattr(self.loss, "proba", None))

    @property
    def y_domain(self):
        low, high, *include = getattr(self.loss, "y_domain", Loss.y_domain)
        return (low, high, include[0] if include else True)

    @cached_property
    def _value_takes_xp(self):
        return takes_xp(self.loss.value, 2)

    @cached_property
    def _gradient_takes_xp(self):
        return takes_xp(self.loss.gradient, 2)

    def value(self, y, eta, xp):
        args = (y, eta, xp) if self._value_takes_xp else (y, eta)
        return self._shaped("value", self.loss.value(*args), eta)

    def gradient(self, y, eta, xp):
        args = (y, eta, xp) if self._gradient_takes_xp else (y, eta)
        return self._shaped("gradient", self.loss.gradient(*args), eta)

    def _shaped(self, method, result, eta):
        """Return ``result``, refusing means and sums, which would be fitted silently."""
        shape = getattr(result, "shape", ())
        if tuple(shape) != tuple(eta.shape):
            raise ValueError(
                f"{self.name}.{method} must return one number per entry of eta, of shape "
                f"{tuple(eta.shape)}; got shape {tuple(shape)}."
            )
        return result

    def __getattr__(self, name):
        # Optional methods exist where the user's object has them, and only there.
        if name in ("hessian", "proba") and "loss" in self.__dict__:
            own = getattr(self.loss, name)
            if name == "hessian" and not takes_xp(own, 2):
                return lambda y, eta, xp: own(y, eta)
            return own
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def inverse_link(self, eta, xp):
        own = getattr(self.loss, "inverse_link", None)
        if own is None:
            return eta
        return own(eta, xp) if takes_xp(own, 1) else own(eta)

    def start(self, y, s, xp, n_outputs=None):
        own = getattr(self.loss, "start", None)
        return super().start(y, s, xp) if own is None else own(y, s, xp)

    def unit(self, y, s, xp=np):
        own = getattr(self.loss, "unit", None)
        if own is not None:
            return own(y, s)
        # Without a link, eta has the units of the targets.
        return 1.0 if hasattr(self.loss, "inverse_link") else deviation(y, s, xp)
