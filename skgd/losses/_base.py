"""What losses share: targets they accept, links, start values, compiled twins."""

import math

import numpy as np

from .._component import Component
from ._start import constant_slope, deviation, half_count, least_point, weighted_mean

__all__ = ["LogLinkLoss", "Loss", "MarginLoss", "RegressionLoss", "exp", "within", "x_log_x"]

# Losses whose best slope for one row, given all others, a kernel finds.
_DUAL_STEPS = frozenset(
    "squared_error huber absolute_error quantile epsilon_insensitive "
    "squared_epsilon_insensitive hinge squared_hinge log_loss softmax".split()
)


def exp(eta, xp):
    """Return ``exp(eta)``; infinity where it overflows, without a warning."""
    with np.errstate(over="ignore"):
        return xp.exp(eta)


def x_log_x(x, xp):
    """Return ``x * log(x)``, which is 0 at 0; 0 below, where it has no value."""
    return x * xp.log(xp.where(x > 0, x, xp.ones_like(x)))


def within(dual, low, high, value, xp):
    """Return ``value`` where ``low <= dual <= high``, infinity elsewhere."""
    return xp.where((dual >= low) & (dual <= high), value, xp.full_like(value, math.inf))


class Loss(Component):
    """Cost of one row as a function of its target and its linear predictor.

    A loss knows nothing of rows, weights or means. A new one subclasses
    `RegressionLoss` or `MarginLoss` and writes `value` and `gradient`.

    Attributes
    ----------
    name : str
        What messages call it; for a shipped loss, the string that names it.
    kinds : frozenset of str
        Tasks that may use it: ``"regression"``, ``"classification"``.
    y_domain : tuple (low, high, include_low)
        Targets that it accepts: from ``low`` to ``high``; ``high`` belongs to the
        interval where it is finite, ``low`` where ``include_low`` says so.
    smooth : bool
        Whether the derivative is continuous.
    curvature : float or None
        Largest second derivative in ``eta``; None where it is unbounded or missing.
    codes : bool
        Whether ``y`` holds class numbers from which each output builds its targets.
    has_proba : bool
        Whether `proba` exists.
    least_at_zero : bool
        Whether no coefficients at all are among the best, as for the perceptron.
    flat : bool
        Whether most rows may show no curvature though many together do, as for Huber's.
    jumps : bool
        Whether the second derivative jumps, as that of a squared hinge.
    joint : bool
        Whether the outputs of a row depend on each other, as for softmax.
    has_dual_step : bool
        Whether a kernel has its step of dual coordinate ascent.
    has_conjugate : bool
        Whether the class itself has ``conjugate``, from which a fit knows how far it is
        from the optimum.

    Notes
    -----
    A loss whose second derivative is cheap also has ``hessian(y, eta, xp)``, of the
    shape of ``eta``.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import LogLoss
    >>> y, eta = np.array([1.0, -1.0]), np.array([0.0, 0.0])
    >>> LogLoss().value(y, eta, np).round(3), LogLoss().gradient(y, eta, np)
    (array([0.693, 0.693]), array([-0.5,  0.5]))
    """

    name = None
    kinds = frozenset()
    y_domain = (-math.inf, math.inf, True)
    smooth = True
    curvature = None
    codes = False
    has_proba = False
    least_at_zero = False
    joint = False
    flat = False
    jumps = False
    # Name of the compiled twin and the hyper-parameters it takes.
    _kernel = None

    def value(self, y, eta, xp):
        """Return the loss of each row, unweighted.

        Parameters
        ----------
        y, eta : array of shape (n_rows,) or (n_rows, n_outputs)
            Target and linear predictor, of the same shape, namespace and device.
        xp : namespace
            Array namespace of ``eta``.

        Returns
        -------
        array of the shape of ``eta``
            One number, at least 0, per row and output.
        """
        raise NotImplementedError

    def gradient(self, y, eta, xp):
        """Return the derivative of `value` in ``eta``.

        Parameters
        ----------
        y, eta : array of shape (n_rows,) or (n_rows, n_outputs)
            As in `value`.
        xp : namespace
            Array namespace of ``eta``.

        Returns
        -------
        array of the shape of ``eta``
            At a kink, one subgradient.
        """
        raise NotImplementedError

    @property
    def has_conjugate(self):
        # Looked up in the class itself: a subclass may have another formula.
        return "conjugate" in type(self).__dict__

    @property
    def has_dual_step(self):
        # Looked up in the class itself: a subclass may have another formula.
        return (type(self).__dict__.get("_kernel") or ("",))[0] in _DUAL_STEPS

    def conjugate(self, y, dual, xp):
        r"""Return the convex conjugate of `value` in ``eta``.

        .. math:: \ell^*(u) = \sup_\eta \; u \eta - \ell(y, \eta)

        Parameters
        ----------
        y, dual : array of shape (n_rows,) or (n_rows, n_outputs)
            Target, and a number :math:`u` in the units of `gradient`.
        xp : namespace
            Array namespace of ``dual``.

        Returns
        -------
        array of the shape of `value`
            Infinity where no slope is or comes near ``u``. At ``u = gradient(y, eta)`` it
            is ``u * eta - value(y, eta)``.
        """
        raise NotImplementedError

    def project(self, y, dual, xp):
        """Return the nearest numbers at which `conjugate` is finite.

        Parameters
        ----------
        y, dual : array of shape (n_rows,) or (n_rows, n_outputs)
            As in `conjugate`.
        xp : namespace
            Array namespace of ``dual``.

        Returns
        -------
        array of the shape of ``dual``
            What is within the range of `gradient` is returned as it is.
        """
        low, high = self._dual_range(y, xp)
        low, high = low + xp.zeros_like(dual), high + xp.zeros_like(dual)
        return xp.where(dual < low, low, xp.where(dual > high, high, dual))

    def _dual_range(self, y, xp):
        """Return the least and the largest slope, or the bounds that slopes approach."""
        return -math.inf, math.inf

    banded = False
    below = True  # as a smooth loss, nowhere above the one that it stands for
    band = 0.0  # the width of a band with which `smoothed` is the loss itself

    def smoothed(self, width, reach=1.0):
        r"""Return a smooth loss that differs from this one about the kinks only.

        .. math:: \max(0, t) \to \delta \log(1 + e^{t / \delta})

        It lies above. So does that of `SquaredHinge`, whose second derivative jumps. Below
        `Huber` one lies whose band is wider.

        Parameters
        ----------
        width : float
            :math:`\delta`, positive. For `Huber` the residual where its band ends, with a curvature
            of ``epsilon`` over that. For `SquaredHinge` the margins over which the curvature goes
            from 0 to 2.
        reach : float, default=1.0
            How far from the middle of a band `hessian` shows that curvature, in halves of the
            band. More than 1 is a model that steps go less far by. Nothing without bands.

        Returns
        -------
        Loss or None
            None where there is no formula.
        """
        # Looked up in the class itself: a subclass may have another formula.
        make = type(self).__dict__.get("_smoothed")
        return None if make is None else make(self, width, reach)

    def inverse_link(self, eta, xp):
        """Return what a prediction shows of the linear predictor.

        Parameters
        ----------
        eta : array
            Linear predictor.
        xp : namespace
            Array namespace of ``eta``.

        Returns
        -------
        array of the shape of ``eta``
            ``eta`` itself unless the loss has a link.
        """
        return eta

    def start(self, y, s, xp, n_outputs=None):
        """Return ``eta`` of the best model that has intercepts only.

        Parameters
        ----------
        y : array of shape (n_rows,) or (n_rows, n_outputs)
            Targets, or class numbers where `codes` is true or the loss is `Softmax`.
        s : array of shape (n_rows,)
            Weights; their sum is positive.
        xp : namespace
            Array namespace of both.
        n_outputs : int, default=None
            Number of classes, for class numbers only; None takes those up to the
            largest in ``y``.

        Returns
        -------
        float or ndarray of shape (n_outputs,)
            A float where ``y`` is a vector of targets, else a NumPy array. Finite
            always: a share or mean of zero counts as half a row.
        """
        if y.ndim == 1:
            return float(self._start(y, s, xp))
        return np.array([float(self._start(y[:, j], s, xp)) for j in range(y.shape[1])])

    def _start(self, y, s, xp):
        """Return the minimising constant for one column of targets."""
        return least_point(constant_slope(self, y, s, xp), float(xp.max(xp.abs(y))))

    def unit(self, y, s, xp=np):
        """Return the natural size of ``eta``, in whose multiples steps may be measured.

        Parameters
        ----------
        y : array of shape (n_rows,) or (n_rows, n_outputs)
            Targets.
        s : array of shape (n_rows,)
            Weights.
        xp : namespace, default=numpy
            Array namespace of both.

        Returns
        -------
        float
            Weighted standard deviation of ``y`` where ``eta`` estimates it (root mean
            square over the columns of ``y``; 1.0 where it is zero or not finite), else
            1.0.
        """
        return 1.0

    def slope_at(self, y, eta):
        """Return the derivative at one point as a float.

        Parameters
        ----------
        y, eta : float
            Target (+1 or -1 in classification) and linear predictor.

        Returns
        -------
        float
            `gradient` at that point.
        """
        return float(self.gradient(np.array([float(y)]), np.array([float(eta)]), np)[0])

    def check_targets(self, y):
        """Raise where a target is one that the loss does not accept.

        Parameters
        ----------
        y : ndarray
            Targets, of any shape.

        Raises
        ------
        ValueError
            Names the loss, the first such target and the domain.
        """
        low, high, include_low = self.y_domain
        good = ((y >= low) if include_low else (y > low)) & (y <= high)
        if good.all():
            return
        rule = "" if math.isinf(low) else f"y {'>=' if include_low else '>'} {low:g}"
        if not math.isinf(high):
            rule = f"{rule} and y <= {high:g}" if rule else f"y <= {high:g}"
        raise ValueError(
            f"loss={self.name!r} needs {rule or 'numbers'}; got {float(y[~good].ravel()[0])}. "
            "Change such rows, or take a loss without that limit, such as 'squared_error'."
        )

    def multiclass(self):
        """Return the loss that takes its place beyond two classes.

        Returns
        -------
        Loss
            Takes class numbers as targets and one output per class.
        """
        from ._one_vs_rest import OneVsRest

        return OneVsRest(self)

    def pointwise(self):
        """Return the compiled twin, for kernels.

        Returns
        -------
        Pointwise or None
            None for a class that does not ship with skgd: kernels then give way to
            the vector formulas.
        """
        # Looked up in the class itself: a subclass may have another formula.
        twin = type(self).__dict__.get("_kernel")
        if twin is None:
            return None
        from .._kernels import get_pointwise

        name, params = twin
        return get_pointwise(name, tuple(float(getattr(self, p)) for p in params))


class RegressionLoss(Loss):
    """Loss of a residual ``eta - y``: identity link, any real target.

    Also usable for classification, on targets of +1 and -1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.losses import RegressionLoss
    >>> class PseudoHuber(RegressionLoss):
    ...     curvature = 1.0
    ...     def value(self, y, eta, xp):
    ...         return xp.sqrt(1 + (eta - y) ** 2) - 1
    ...     def gradient(self, y, eta, xp):
    ...         return (eta - y) / xp.sqrt(1 + (eta - y) ** 2)
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(loss=PseudoHuber(), max_iter=2000).fit(X, y)
    >>> est.converged_
    True
    """

    kinds = frozenset({"regression", "classification"})

    def unit(self, y, s, xp=np):
        return deviation(y, s, xp)

    def _start(self, y, s, xp):
        # A residual does not change when y and eta move together; about the mean,
        # nothing is lost to rounding where y is far from zero.
        mean = weighted_mean(y, s, xp)
        slope = constant_slope(self, y - mean, s, xp)
        return mean + least_point(slope, self.unit(y, s, xp))


class LogLinkLoss(Loss):
    """Half deviance of a mean ``mu = exp(eta)``.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import LogLinkLoss, Poisson
    >>> loss = Poisson()
    >>> isinstance(loss, LogLinkLoss), loss.inverse_link(np.array([0.0]), np)
    (True, array([1.]))
    """

    kinds = frozenset({"regression"})

    def inverse_link(self, eta, xp):
        return exp(eta, xp)

    def _start(self, y, s, xp):
        mean = weighted_mean(y, s, xp)
        if not mean > 0:
            # The best mean is zero, out of reach of the link: half a row's worth.
            mean = (weighted_mean(xp.abs(y), s, xp) or 1.0) * half_count(s, xp)
        return math.log(mean)


class MarginLoss(Loss):
    """Loss of a margin ``z = y * eta`` with targets of +1 and -1.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgd import GDClassifier
    >>> from skgd.losses import MarginLoss
    >>> class Exponential(MarginLoss):
    ...     def value(self, y, eta, xp):
    ...         return xp.exp(-y * eta)
    ...     def gradient(self, y, eta, xp):
    ...         return -y * xp.exp(-y * eta)
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> est = GDClassifier(loss=Exponential(), solver="lbfgs", alpha=0.1).fit(X, y)
    >>> est.converged_
    True
    """

    kinds = frozenset({"classification"})

    # Slopes are -a y, with ``a`` from 0 to this.
    _steepest = math.inf

    def _dual_range(self, y, xp):
        zero, most = xp.zeros_like(y), self._steepest
        if math.isfinite(most):
            # No choice for each row: that costs several times this where classes are mixed.
            ahead = (y > 0) * (zero + most)
            return -ahead, most - ahead
        return xp.where(y > 0, zero - most, zero), xp.where(y > 0, zero, zero + most)

    def _start(self, y, s, xp):
        # Two rows, one per class, have the same minimiser as all rows.
        share = self._share(y > 0, s, xp)
        return super()._start(np.array([1.0, -1.0]), np.array([share, 1 - share]), np)

    @staticmethod
    def _share(chosen, s, xp):
        """Return the weight of the rows for which ``chosen`` is true, as a share of all."""
        # Not by a choice for each row, which costs ten times this where classes are in no order.
        return float(xp.asarray(chosen, dtype=s.dtype) @ s) / float(xp.sum(s))
