"""Weighted second moments of a block of rows, dense or CSR."""

import numpy as np
import scipy.sparse as sp

__all__ = ["bend_of", "second_derivative", "second_factor"]

_ENOUGH = 0.2  # share of the rows that must show a curvature
_WIDENINGS = 60
_DENSE = 0.2  # share of stored entries from which a dense product is faster


def second_derivative(loss, y, eta):
    """Return the second derivative of a loss at each row.

    Parameters
    ----------
    loss : Loss
        With ``hessian``, or else its slopes are compared a little ahead and behind.
    y, eta : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Targets and linear predictors.

    Returns
    -------
    ndarray of the shape of ``eta``
        Not negative.
    """
    # What wraps a loss of the user's has the method even where that loss does not.
    if hasattr(getattr(loss, "loss", loss), "hessian"):
        return loss.hessian(y, eta, np)
    step = 1e-5 * np.maximum(1.0, np.abs(eta))
    change = loss.gradient(y, eta + step, np) - loss.gradient(y, eta - step, np)
    return np.maximum(change / (2.0 * step), 0.0)


def bend_of(loss, y, eta):
    """Return the second derivative of a loss at each row, for a model of many rows.

    A loss that bends in a few places only, such as Huber's with a small ``epsilon``, shows no
    curvature at most rows, though their sum has one. Its slopes are then compared across a
    band, as wide as a fifth of the rows needs: what one row shows stands for its neighbours.

    Parameters
    ----------
    loss : Loss
        With slopes, and a second derivative where that is cheap.
    y, eta : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Targets and linear predictors.

    Returns
    -------
    ndarray of the shape of ``eta``
        Not negative.
    """
    h = second_derivative(loss, y, eta)
    if not loss.flat:
        return h
    band = 0.0
    for _ in range(_WIDENINGS):
        total = h.sum()
        if total * total >= _ENOUGH * h.size * np.square(h).sum() > 0.0:
            break
        # From the part that a millionth of the spread is, by doubling.
        band = 2.0 * band if band else 1e-6 * max(float(np.std(y - eta)), 1e-300)
        ahead, behind = loss.gradient(y, eta + band, np), loss.gradient(y, eta - band, np)
        h = (ahead - behind) / (2.0 * band)
    return h


def second_factor(X, shift=None, inv_scale=None):
    r"""Return a function of weights that gives second moments of these rows.

    .. math:: \sum_i h_i z_i z_i^T, \qquad z_i = [(x_i - m) / \sigma, 1]

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
        A block of rows; a copy of it is made, dense where it is not very sparse.
    shift, inv_scale : ndarray of shape (n_features,), default=None
        :math:`m` and :math:`1 / \sigma`.

    Returns
    -------
    callable
        From weights of shape (n_rows,) to an array of shape (n_features + 1, n_features + 1).

    Notes
    -----
    Sparse rows are not centred entry by entry: the shift is subtracted from the sums, which
    costs digits where a mean is far above its spread. Who needs them all must not ask here.
    """
    n, d = X.shape
    inv_scale = np.ones(d) if inv_scale is None else inv_scale
    if not sp.issparse(X) or X.nnz > _DENSE * n * d:
        z = np.empty((n, d + 1))
        z[:, :d] = X.toarray() if sp.issparse(X) else X
        z[:, d] = 1.0
        if shift is not None:
            z[:, :d] -= shift
        z[:, :d] *= inv_scale
        return lambda h: (z * h[:, None]).T @ z

    X = X.astype(np.float64)
    X.data *= inv_scale[X.indices]
    m = np.zeros(d) if shift is None else shift * inv_scale
    rows = np.repeat(np.arange(n), np.diff(X.indptr))

    def moments(h):
        bent = X.copy()
        bent.data *= h[rows]
        out = np.empty((d + 1, d + 1))
        first, total = np.asarray(bent.sum(axis=0)).ravel(), h.sum()
        out[:d, :d] = (X.T @ bent).toarray()
        out[:d, :d] += np.outer(m, total * m - first) - np.outer(first, m)
        out[:d, d] = out[d, :d] = first - total * m
        out[d, d] = total
        return out

    return moments
