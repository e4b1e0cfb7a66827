"""What landscapes share."""

import numpy as np

__all__ = ["Landscape"]


class Landscape:
    """A function with its derivatives and its known points.

    A subclass gives ``_value``, ``_gradient`` and ``_hessian`` of an array whose last axis
    holds the coordinates, and sets the attributes.

    Attributes
    ----------
    dim : int
        Number of coordinates.
    bounds : ndarray of shape (dim, 2)
        Part of the domain to draw.
    minima, saddles : ndarray of shape (n_points, dim)
        Known minima and saddles, one a row.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.landscapes import Landscape, check_gradient
    >>> class Bowl(Landscape):
    ...     dim, minima, saddles = 2, np.zeros((1, 2)), np.empty((0, 2))
    ...     bounds = np.array([[-1.0, 1.0], [-1.0, 1.0]])
    ...     def _value(self, x):
    ...         return (x**4).sum(-1)
    ...     def _gradient(self, x):
    ...         return 4 * x**3
    ...     def _hessian(self, x):
    ...         return 12 * x[..., None] ** 2 * np.eye(2)
    >>> bowl = Bowl()
    >>> float(bowl([1.0, 2.0]))
    17.0
    >>> check_gradient(bowl, bowl.gradient, [1.0, 2.0]) < 1e-5
    True
    """

    dim = 2
    bounds = minima = saddles = None

    def _points(self, x):
        x = np.asarray(x, dtype=float)
        if x.ndim == 0 or x.shape[-1] != self.dim:
            raise ValueError(
                f"{type(self).__name__} takes points of shape (..., {self.dim}); got x={x} of "
                f"shape {x.shape}."
            )
        if np.isnan(x).any():
            raise ValueError(
                f"{type(self).__name__} is defined for real numbers; got NaN in x={x} of shape "
                f"{x.shape}."
            )
        return x

    def __call__(self, x):
        """Return the value at ``x`` of shape (..., dim), as an array of shape (...)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._value(self._points(x))

    def gradient(self, x):
        """Return the gradient at each point.

        Parameters
        ----------
        x : array-like of shape (..., dim)
            Points.

        Returns
        -------
        ndarray of shape (..., dim)
            One gradient a point.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._gradient(self._points(x))

    def hessian(self, x):
        """Return the second derivative at each point.

        Parameters
        ----------
        x : array-like of shape (..., dim)
            Points.

        Returns
        -------
        ndarray of shape (..., dim, dim)
            One symmetric matrix a point.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._hessian(self._points(x))
