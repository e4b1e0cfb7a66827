"""Every kernel again, in NumPy: the oracle in tests and the text to read first.

`full_pass` and `minibatch_block` also run in production, where a loss, a rule, a penalty
or the home of the rows has no compiled form.
"""

import numpy as np

__all__ = [
    "column_moments",
    "column_sums",
    "descend_columns",
    "descend_quadratic",
    "ftrl_block",
    "full_pass",
    "minibatch_block",
    "row_norms",
    "sag_block",
    "sgd_block",
]

# Numbers of X that are taken at a time: float32 rows are summed in float64, and a copy of
# all of X in float64 is more memory than a fit may take.
CHUNK = 2**17

LARGEST_SLOPE = 1e12


def _dense_row(X, i):
    row = X[[i]].toarray()[0] if hasattr(X, "toarray") else X[i]
    return np.asarray(row, dtype=np.float64)


def full_pass(X, y, s, coef, intercept, loss):
    r"""Weighted sum of the losses of all rows, and its gradient.

    .. math:: \sum_i s_i \, \ell(y_i, W x_i + b)

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
        Rows. Those of weight 0 add exactly nothing, even where their loss is not finite.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Targets, as ``loss`` takes them.
    s : ndarray of shape (n_rows,)
        Weights.
    coef : ndarray of shape (n_outputs, n_features)
        Coefficients ``W``.
    intercept : ndarray of shape (n_outputs,)
        Intercepts ``b``.
    loss : object
        Has ``value(y, eta, xp)`` and ``gradient(y, eta, xp)``; ``eta`` has shape
        ``(n_rows,)`` where there is one output and ``y`` is one-dimensional, else
        ``(n_rows, n_outputs)``.

    Returns
    -------
    value : float
    grad : ndarray of shape (n_outputs * n_features + n_outputs,)
        ``[dW.ravel(), db]``, not divided by anything.
    """
    k, d = coef.shape
    value, grad = 0.0, np.zeros(k * d + k)
    step = max(1, CHUNK // max(1, d))
    for start in range(0, X.shape[0], step):
        rows = slice(start, start + step)
        x, y_rows, s_rows = X[rows], y[rows], s[rows]
        # The difference matters to SciPy, which would widen X at each product.
        x = x.astype(np.float64, copy=False)
        eta = x @ coef.T + intercept
        if k == 1 and y.ndim == 1:
            eta = eta[:, 0]
        losses, slopes = loss.value(y_rows, eta, np), loss.gradient(y_rows, eta, np)
        value += weigh(s_rows, losses).sum()
        slopes = weigh(s_rows, slopes).reshape(len(s_rows), k)
        grad[: k * d] += (x.T @ slopes).T.ravel()
        grad[k * d :] += slopes.sum(axis=0)
    return float(value), grad


def weigh(s, x):
    """``s * x`` along the rows, exactly zero where ``s`` is."""
    s = s if x.ndim == 1 else s[:, None]
    return s * np.where(s == 0, 0.0, x)


def minibatch_block(
    gradient,
    rule,
    theta,
    vectors,
    scalars,
    t,
    batches,
    rates,
    l2,
    prox,
    n_coef,
    clip_norm=np.inf,
    clip_value=np.inf,
    average=None,
    average_from=1,
    n_averaged=0,
    xp=np,
):
    """Steps on batches with any rule, penalty and home of the rows.

    Parameters
    ----------
    gradient : callable
        ``gradient(theta, batch)`` gives the gradient of the loss part, shape
        ``(n_params,)``, in an array that may be changed.
    rule : Rule
        ``rule.update(grad, vectors, scalars, t, xp)`` gives ``(move, metric)``.
    theta : array of shape (n_params,)
        The iterate, coefficients first; changed in place.
    vectors, scalars : arrays
        Memory of the rule; changed in place.
    t : int
        Steps done before.
    batches : iterable
        What ``gradient`` takes, one for each step.
    rates : sequence of float
        Rate of each step.
    l2 : float or array of shape (n_coef,)
        ``l2 * coef`` joins the gradient; with a decoupled rule it shrinks ``theta``.
    prox : callable or None
        ``prox(theta, step)`` of the non-smooth part, intercepts left alone; ``step`` is
        ``rate`` or, for a rule with a metric, ``rate * metric`` of shape (n_params,).
    n_coef : int
        Number of coefficients in ``theta``.
    clip_norm, clip_value : float
        Bounds on the norm and on each entry of the gradient, the entries first.
    average : array of shape (n_params,), default=None
        Mean of the iterates; changed in place.
    average_from, n_averaged : int
        First step that counts for the mean; iterates in it so far.
    xp : namespace
        Array namespace of ``theta``.

    Returns
    -------
    int
        Iterates in the mean now.
    """
    for batch, rate in zip(batches, rates, strict=True):
        t += 1
        grad = gradient(theta, batch)
        if not rule.decoupled:
            grad[:n_coef] += l2 * theta[:n_coef]
        if clip_value < np.inf:
            grad = xp.clip(grad, -clip_value, clip_value)
        if clip_norm < np.inf:
            norm = float(xp.linalg.vector_norm(grad))
            if norm > clip_norm:
                grad = grad * (clip_norm / norm)
        move, metric = rule.update(grad, vectors, scalars, t, xp)
        new = theta - rate * move
        if rule.decoupled:
            new[:n_coef] -= rate * l2 * theta[:n_coef]
        if prox is not None:
            new = prox(new, rate if metric is None else rate * metric)
        theta[:] = new
        if average is not None and t >= average_from:
            n_averaged += 1
            average += (theta - average) / n_averaged
    return n_averaged


def sgd_block(
    X,
    y,
    s,
    order,
    rates,
    coef,
    intercept,
    l2,
    l1,
    weight_factor,
    fit_intercept,
    slope,
    average_coef=None,
    average_intercept=None,
    t=0,
    average_from=1,
    n_averaged=0,
    metric=None,
    received=None,
    still=None,
    value=None,
):
    """Stochastic gradient steps on one row each, nothing late.

    As `skgd._kernels.sgd_block`, with ``slope(y_i, eta) -> (n_outputs,)`` for the loss, and
    ``value(y_i, eta) -> float`` where there is a point that stands still;
    ``eta`` has shape ``(n_outputs,)``. The l1 part is the cumulative penalty of Tsuruoka
    et al. (2009): what a coefficient could have received (``received[-1]``, times ``l1m``
    with a metric) against what it has, so that noise does not lift it from zero.
    """
    if received is not None:
        q = received[:-1].reshape(coef.shape)
    inv2, shift, a, l1m = metric if metric is not None else (1.0, None, None, None)
    if metric is not None and l1m is None:
        l1m = np.zeros_like(a)
    total = np.nan if still is None else 0.0
    for i, rate in zip(order, rates, strict=True):
        t += 1
        x = _dense_row(X, i)
        if still is not None and s[i] != 0:
            total += s[i] * value(y[i], still[0] @ x + still[1])
        g = slope(y[i], coef @ x + intercept) if s[i] != 0 else np.zeros(len(intercept))
        g = np.clip(weight_factor * s[i] * g, -LARGEST_SLOPE, LARGEST_SLOPE)
        if metric is None:
            coef *= max(0.0, 1.0 - rate * l2)
            coef -= rate * np.outer(g, x)
            if received is not None:
                received[-1] += rate * l1
                coef[:] = _cumulative(coef, q, received[-1])
            intercept -= rate * g if fit_intercept else 0.0
        else:
            center = intercept + (coef @ shift if shift is not None else 0.0)
            coef -= rate * np.outer(g, (x - shift if shift is not None else x) * inv2)
            e = np.exp(-a * rate)
            slack = a * rate == 0
            pull = l1m * np.where(slack, rate, -np.expm1(-a * rate) / np.where(slack, 1.0, a))
            if received is None:
                coef *= e
            else:
                due = received[-1] * l1m
                received[-1] += rate
                coef[:] = _cumulative(coef, q, due)
                sign, reach = np.sign(coef), np.abs(coef) * e
                share = np.minimum(1.0, np.divide(reach, pull, where=pull > 0, out=0.0 * reach))
                q -= sign * share * rate * l1m
                coef[:] = sign * np.maximum(reach - pull, 0.0)
            if fit_intercept:
                center = center - rate * g
                intercept[:] = center - (coef @ shift if shift is not None else 0.0)
        if average_coef is not None and t >= average_from:
            n_averaged += 1
            average_coef += (coef - average_coef) / n_averaged
            average_intercept += (intercept - average_intercept) / n_averaged
    return n_averaged, total


def _cumulative(coef, received, due):
    sign = np.sign(coef)
    left = sign * np.maximum(np.abs(coef) - (due + sign * received), 0.0)
    received += left - coef
    return left


def sag_block(
    X,
    y,
    s,
    order,
    share,
    batch_size,
    mode,
    rate,
    coef,
    intercept,
    slopes,
    mean,
    mean_slope,
    metric,
    weight_factor,
    n_active,
    fit_intercept,
    slope,
):
    """Steps of SAG, SAGA or SVRG on batches of rows, nothing late.

    As `skgd._kernels.sag_block`, with ``slope(y_i, eta) -> (n_outputs,)`` for the loss;
    ``eta`` has shape ``(n_outputs,)``.
    """
    inv2, shift, a, l1m = metric
    shift = 0.0 if shift is None else shift
    pull = 0.0 * inv2 if l1m is None else l1m
    # With a shift the intercept of centred rows is what moves by itself.
    centre = intercept + (coef * shift).sum(axis=1)
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        rows = [_dense_row(X, i) - shift for i in batch]
        found = [
            weight_factor * s[i] * slope(y[i], coef @ z + centre) if s[i] != 0 else 0.0 * centre
            for i, z in zip(batch, rows, strict=True)
        ]
        before = [slopes[i].copy() for i in batch]
        for r, (i, z, g) in enumerate(zip(batch, rows, found, strict=True)):
            change = 0.0 * g if mode == "svrg" else (g - slopes[i]) / n_active
            kappa = share[first + r] / len(batch) * (g - before[r]) - change
            kappa = 0.0 * g if mode == "sag" else kappa
            coef -= rate * np.outer(kappa, z * inv2)
            mean += np.outer(change, z)
            mean_slope += change
            if fit_intercept:
                centre -= rate * kappa
            if mode != "svrg":
                slopes[i] = g
        coef[:] = drifted(coef, a, inv2 * mean, pull, rate)
        if fit_intercept:
            centre -= rate * mean_slope
    if fit_intercept:
        intercept[:] = centre - (coef * shift).sum(axis=1)


def ftrl_block(
    X,
    y,
    s,
    order,
    t,
    rate,
    beta,
    coef,
    centre,
    z,
    square,
    z0,
    square0,
    scales,
    penalties,
    weight_factor,
    fit_intercept,
    slope,
):
    """Steps of follow-the-regularised-leader on one row each.

    As `skgd._kernels.ftrl_block`, with ``slope(y_i, eta) -> (n_outputs,)`` for the loss;
    ``eta`` has shape ``(n_outputs,)``.
    """
    inv, shift = scales
    l1, l2 = (0.0 if part is None else part for part in penalties)

    def leader(z, square, pull, decay):
        strength = (beta + np.sqrt(square)) / rate + decay
        return -np.sign(z) * np.maximum(np.abs(z) - pull, 0.0) / strength

    def learn(z, square, w, g):
        after = square + g * g
        z += g - (np.sqrt(after) - np.sqrt(square)) / rate * w
        square[:] = after

    for i in order:
        x = (_dense_row(X, i) - (0.0 if shift is None else shift)) * inv
        coef[:] = leader(z, square, t * l1, t * l2)
        g = slope(y[i], coef @ x + centre) if s[i] != 0 else 0.0 * centre
        g = weight_factor * s[i] * g
        learn(z, square, coef, np.outer(g, x))
        if fit_intercept:
            learn(z0, square0, centre, g)
            centre[:] = leader(z0, square0, 0.0, 0.0)
        t += 1
    coef[:] = leader(z, square, t * l1, t * l2)


def drifted(w, a, drift, pull, time):
    """Return where ``dw/dS = -a w - drift - pull sign(w)`` leads from ``w`` in a time."""

    def gain(time):
        slack = a * time == 0
        return np.where(slack, time, -np.expm1(-a * time) / np.where(slack, 1.0, a))

    side = np.where(w != 0.0, np.sign(w), -np.sign(drift))
    force = drift + pull * side
    there = w * np.exp(-a * time) - force * gain(time)
    stays = (there * side > 0.0) & ((w != 0.0) | (np.abs(drift) > pull))
    # Through zero, and on with the other sign for the time that is left.
    crosses = ~stays & (w != 0.0) & (np.abs(drift) > pull)
    ratio = np.divide(w, force, out=np.zeros_like(there), where=crosses)
    slack = a * ratio == 0
    to_zero = np.where(slack, ratio, np.log1p(a * ratio) / np.where(slack, 1.0, a))
    beyond = -(drift - pull * side) * gain(np.maximum(time - to_zero, 0.0))
    return np.where(stays, there, np.where(crosses, beyond, 0.0))


def column_moments(X, s):
    """Weighted mean, variance and extremes of the columns, over rows of positive weight.

    As `skgd._kernels.column_moments`, with two readings instead of one.
    """
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)[s > 0]
    s = s[s > 0] / s[s > 0].sum()
    mean = s @ X
    return mean, s @ (X - mean) ** 2, X.min(axis=0), X.max(axis=0)


def row_norms(X, shift=0.0, inv_scale=1.0):
    """Squared Euclidean norms of the rows of ``(X - shift) * inv_scale``."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    return (((X - shift) * inv_scale) ** 2).sum(axis=1)


def gram(X, rows, h, shift=0.0, inv_scale=1.0, more=None):
    """``sum_i h_it z_i z_i'`` over some rows, ``z = [([x, y] - shift) * inv_scale, 1]``, by t."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)[rows]
    X = X if more is None else np.hstack([X, more[rows]])
    Z = np.hstack([(X - shift) * inv_scale, np.ones((len(rows), 1))])
    return np.stack([(Z.T * weights) @ Z for weights in h.T])


def descend_quadratic(H, x, slope, l1, sweeps, tol):
    """Coordinate descent on ``x H x / 2 - c x + sum l1 |x|``; ``x`` and ``slope`` in place.

    As `skgd._kernels.descend_quadratic`: a sweep over all coordinates, then sweeps over those
    that are not zero until moves are a tenth of it.
    """
    everything, before = True, 0.0
    for done in range(1, sweeps + 1):
        largest = 0.0
        for j in np.arange(len(x)) if everything else np.flatnonzero((x != 0) | (l1 == 0)):
            new = x[j] * H[j, j] - slope[j]
            new = np.sign(new) * max(abs(new) - l1[j], 0.0) / H[j, j]
            move = new - x[j]
            x[j] = new
            slope += move * H[j]
            largest = max(largest, abs(move) * np.sqrt(H[j, j]))
        if everything:
            if largest <= tol:
                return done
            everything, before = False, largest
        else:
            everything = largest <= 0.1 * before or largest <= tol
    return sweeps


def column_sums(X, weights):
    """Return the weighted sums of the columns of a matrix, and those of their squares."""
    A = X.toarray()
    return weights @ A, weights @ (A * A)


def descend_columns(X, bent, x, base, l1, l2, free, sweeps, everything, tol):
    """Coordinate descent on a quadratic of the columns of X, the intercept always at its best.

    As `skgd._kernels.descend_columns`, from ``slopes`` of zero; returns the intercept, too.
    """
    A, x, start = X.toarray(), x.copy(), x.copy()
    total = bent.sum() if free else 0.0
    best = (bent @ A) / total if free else np.zeros(len(x))
    centred = A - best
    H = centred.T @ (bent[:, None] * centred) + np.diag(l2)
    for _ in range(sweeps):
        largest = 0.0
        for j in range(len(x)):
            if not everything and x[j] == 0 and l1[j] > 0:
                continue
            slope = base[j] + l2[j] * x[j] + (H - np.diag(l2))[j] @ (x - start)
            new = x[j] * H[j, j] - slope
            new = np.sign(new) * max(abs(new) - l1[j], 0.0) / H[j, j]
            largest = max(largest, abs(new - x[j]) * np.sqrt(H[j, j]))
            x[j] = new
        if largest <= tol:
            break
    return x, -float(best @ (x - start)), largest


def swap_down(order, top, u):
    """Swap places ``top - 1`` downwards with one at or below, as numbers in [0, 1) say."""
    for i, share in zip(range(top - 1, 0, -1), u, strict=False):
        j = int(share * (i + 1))
        order[i], order[j] = order[j], order[i]
