"""What penalties share: the elastic net family in two numbers, and its optimality."""

from .._component import Component

__all__ = ["LazyPenalty", "Penalty", "soft_threshold", "violation_lazy"]


def soft_threshold(coef, t, xp):
    """Move every coefficient towards zero by ``t``, not past it.

    Parameters
    ----------
    coef : array
        Coefficients; not modified.
    t : float or array
        Distance, at least 0; an array is broadcast against ``coef``.
    xp : namespace
        Array namespace of ``coef``.

    Returns
    -------
    array
        ``sign(coef) * max(|coef| - t, 0)``; zeros are exact and have no sign.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.penalties import soft_threshold
    >>> soft_threshold(np.array([-3.0, 0.5, 2.0]), 1.0, np)
    array([-2.,  0.,  1.])
    """
    return coef - xp.clip(coef, -t, t)


def violation_lazy(coef, grad, l1, l2, xp):
    """Return how far ``-grad`` is from the slopes of an elastic net penalty.

    Parameters
    ----------
    coef : array
        Coefficients.
    grad : array
        Gradient of the loss part only, of the shape of ``coef``.
    l1, l2 : float or array
        Strengths, ``alpha`` included: of ``||coef||_1`` and of ``||coef||^2 / 2``.
        Arrays, one number per column, are those of a penalty in scaled variables.
    xp : namespace
        Array namespace of ``coef``.

    Returns
    -------
    float
        Largest over the coefficients: ``|grad + l2 coef + l1 sign(coef)|`` where
        ``coef`` is not zero, ``max(0, |grad| - l1)`` where it is. Zero exactly at an
        optimum.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.penalties import violation_lazy
    >>> violation_lazy(np.array([0.0, 1.0]), np.array([0.3, -0.5]), 0.5, 0.0, np)
    0.0
    """
    inside = xp.abs(grad + l2 * coef + l1 * xp.sign(coef))
    at_zero = xp.clip(xp.abs(grad) - l1, 0, None)
    return float(xp.max(xp.where(coef != 0, inside, at_zero)))


class Penalty(Component):
    """Cost of the coefficients, at unit strength: ``alpha`` belongs to the estimator.

    Coefficients come as an array of shape (n_outputs, n_features) or flat; intercepts
    are never part of it.

    Attributes
    ----------
    name : str
        What messages call it.
    smooth : bool
        Whether `gradient` is the slope of all of it, so that `prox` does nothing.
    separable : bool
        Whether `prox` acts coordinate by coordinate, so that its step may be an array.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.penalties import L1
    >>> coef = np.array([3.0, -0.5])
    >>> L1().value(coef, np), L1().prox(coef, 1.0, np)
    (3.5, array([2., 0.]))
    """

    name = None
    smooth = False
    separable = False

    def value(self, coef, xp):
        """Return the penalty at ``coef``.

        Parameters
        ----------
        coef : array
            Coefficients.
        xp : namespace
            Array namespace of ``coef``.

        Returns
        -------
        float
            At least 0.
        """
        raise NotImplementedError

    def gradient(self, coef, xp):
        """Return the gradient of the smooth part.

        Parameters
        ----------
        coef : array
            Coefficients.
        xp : namespace
            Array namespace of ``coef``.

        Returns
        -------
        array of the shape of ``coef``
            The rest of the penalty is left to `prox`.
        """
        raise NotImplementedError

    def prox(self, coef, t, xp):
        r"""Return the proximal point of the part that is not smooth.

        .. math:: \arg\min_u \tfrac12 \|u - w\|^2 + t R(u)

        Parameters
        ----------
        coef : array
            Coefficients :math:`w`; not modified.
        t : float or array
            Step times ``alpha``. Where `separable` is true it may be an array that is
            broadcast against ``coef``, one step per coordinate.
        xp : namespace
            Array namespace of ``coef``.

        Returns
        -------
        array of the shape of ``coef``
            A new array where anything changes.
        """
        raise NotImplementedError

    def violation(self, coef, grad, alpha, xp):
        """Return the distance of ``-grad`` from ``alpha`` times the subdifferential.

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
            In the sup norm; 0 exactly at an optimum.
        """
        raise NotImplementedError

    def lazy(self):
        """Return the penalty as two numbers, for updates that shrink coordinates late.

        Returns
        -------
        tuple of float or None
            ``(l1, l2)`` if the penalty is ``l1 ||w||_1 + l2 ||w||^2 / 2``.
        """
        return None


class LazyPenalty(Penalty):
    """``l1 ||w||_1 + l2 ||w||^2 / 2``: a subclass says the two numbers in `lazy`.

    Examples
    --------
    >>> from skgd.penalties import LazyPenalty
    >>> class Mostly(LazyPenalty):
    ...     def lazy(self):
    ...         return 0.9, 0.1
    >>> Mostly().smooth
    False
    """

    separable = True

    @property
    def smooth(self):
        return self.lazy()[0] == 0

    def value(self, coef, xp):
        l1, l2 = self.lazy()
        value = 0.0
        if l1 != 0:
            value += l1 * xp.sum(xp.abs(coef))
        if l2 != 0:
            flat = coef.reshape(-1)
            value += 0.5 * l2 * (flat @ flat)
        return float(value)

    def gradient(self, coef, xp):
        return self.lazy()[1] * coef

    def prox(self, coef, t, xp):
        l1 = self.lazy()[0]
        return coef if l1 == 0 else soft_threshold(coef, t * l1, xp)

    def violation(self, coef, grad, alpha, xp):
        l1, l2 = self.lazy()
        return violation_lazy(coef, grad, alpha * l1, alpha * l2, xp)

    def lazy(self):
        raise NotImplementedError
