"""Weighted second moments of a block of rows, dense or CSR."""

import numpy as np
import scipy.sparse as sp

__all__ = ["second_factor"]

_DENSE = 0.2  # share of stored entries from which a dense product is faster


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
