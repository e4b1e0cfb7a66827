"""Steps of a limited-memory model that stay in an orthant, where there is an l1 part."""

import numpy as np

__all__ = ["crossing", "steepest", "within"]

_ROUNDS = 10  # of coefficients that leave the orthant


def steepest(problem, theta, grad):
    """Return the derivative of F of least length, and the orthant it looks into."""
    slope, side = grad.copy(), np.sign(theta)
    split = problem.objective.split
    W, G, Z = split(theta)[0], split(slope)[0], split(side)[0]
    split(side)[1][:] = 0.0  # intercepts go where they like
    G[:] = np.where(W != 0.0, G + problem.l1 * Z, G - np.clip(G, -problem.l1, problem.l1))
    Z[:] = np.where(W != 0.0, Z, -np.sign(G))
    return slope, side


def crossing(theta, direction, side):
    """Return the step at which each coordinate is zero, infinity where never."""
    out = np.full(len(theta), np.inf)
    back = direction * side < 0.0
    out[back] = -theta[back] / direction[back]
    return out


def within(pairs, products, metric, theta, slope, side):
    r"""Return a step to about where the quadratic model is least in an orthant.

    Coefficients that would leave it stop at zero, and the others are found anew, given that they
    do. The Hessian of the model is [1]_

    .. math::

        B = D - W^T N^{-1} W, \qquad W = \begin{pmatrix} S D \\ Y \end{pmatrix}, \qquad
        N = \begin{pmatrix} S D S^T & L \\ L^T & -I \end{pmatrix}

    in columns that are centred where the diagonal ``metric`` has means for them.

    Parameters
    ----------
    pairs : list of tuple of ndarray
        Steps and changes of the gradient, not empty, scaled such that their products are one.
    products : ndarray of shape (n_pairs, n_pairs)
        Of steps with changes that are older; what else is in it is not read.
    metric : Diagonal or None
        What the pairs correct up to a factor; None is the identity.
    theta, slope, side : ndarray of shape (n_params,)
        Point, and what `steepest` has found there.

    Returns
    -------
    ndarray of shape (n_params,)
        Zero where zero is optimal.

    Raises
    ------
    LinAlgError
        Where N is singular.

    References
    ----------
    .. [1] R. H. Byrd, J. Nocedal, R. B. Schnabel (1994). "Representations of quasi-Newton
       matrices and their use in limited memory methods". Mathematical Programming 63.
    """
    free = (slope != 0.0) | (theta != 0.0)
    # Nothing is read but where a step goes, or has gone.
    met = free.copy() if metric is None else metric.with_intercepts(free)
    for s, _ in pairs:
        met |= s != 0.0
    at, m = np.flatnonzero(met), len(pairs)
    start, side, left = theta[at], side[at], ~free[at]
    W = np.empty((2 * m + 1, len(at)))
    for i, (s, y) in enumerate(pairs):
        np.take(s, at, out=W[i])
        np.take(y, at, out=W[m + i])
    W[-1] = slope[at]
    # In variables in which D is the identity.
    if metric is None:
        root = np.sqrt(float(y @ y))
    else:
        metric.centre(at, W[:m], W[m:])
        root = np.sqrt(float(y @ metric.solve(y)) / metric.inverse[at])
    W[:m] *= root
    W[m:] /= root
    start *= root
    W, slope = W[:-1], W[-1]
    G, p, lower = W @ W.T, W @ slope, np.tril(products, -1)
    N = np.block([[G[:m, :m], lower], [lower.T, -np.eye(m)]])
    step, held, stays = np.zeros(len(at)), np.zeros(2 * m), np.ones(len(at), dtype=bool)
    for _ in range(_ROUNDS):
        gone = np.flatnonzero(left)
        stays[gone], step[gone] = False, -start[gone]
        part = W[:, gone]
        held += part @ step[gone]
        G -= part @ part.T
        p -= part @ slope[gone]
        known = np.linalg.solve(N, held)
        found = (known - np.linalg.solve(N - G, p - G @ known)) @ W - slope
        left = stays & (side * (start + found) < 0.0)
        if not left.any():
            break
    step = np.where(stays, found, step)
    step[left] = -start[left]
    step /= root
    if metric is not None:
        metric.uncentre(at, step)
    out = np.zeros(len(theta))
    out[at] = step
    return out
