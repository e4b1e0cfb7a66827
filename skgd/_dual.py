"""Slopes of losses at the best intercepts: they add up to zero, as a dual point must."""

import numpy as np

from .losses import RegressionLoss, Softmax, SquaredError

__all__ = [
    "at_best_shift",
    "at_equality",
    "balanced",
    "balanced_shares",
    "between_kinks",
    "curvature",
    "evened",
    "gap_by_conjugates",
    "has_gap",
    "penalty_gap",
    "promised",
    "slopes_gap",
    "targets",
    "unread_gap",
]

_EPS = np.finfo(float).eps
_BALANCED = 1e-8  # sums of slopes this small, relative, move the gap by its square
_NEWTON, _BISECTIONS = 12, 45
_SOME, _ROUGH = 10_000, 0.1  # rows that tell a curvature, and what part of a step they miss
_SAME = 1e-9  # what sums of the same slopes may differ by, relative
_BLOCK = 2**14  # entries of the arrays that formulas of losses make on their way


def evened(pull, total=None, size=None):
    """Take what slopes add up to from the heavier side, in place.

    Parameters
    ----------
    pull : ndarray of shape (n_rows, n_outputs)
        Weighted slopes; intervals that hold zero allow smaller ones.
    total, size : ndarray of shape (n_outputs,), default=None
        Their sums and those of their absolute values, where they are known.

    Returns
    -------
    float
        The largest share that any of them has lost.
    """
    if total is None:
        total, size = pull.sum(axis=0), np.abs(pull).sum(axis=0)
    up, down = 0.5 * (size + total), 0.5 * (size - total)
    even = np.maximum(np.minimum(up, down), 0.0)
    keep_up = np.divide(even, up, out=np.ones_like(up), where=up > 0)
    keep_down = np.divide(even, down, out=np.ones_like(down), where=down > 0)
    for side, keep in ((np.maximum, keep_up), (np.minimum, keep_down)):
        for rows in _blocks(pull) if (keep < 1.0).any() else ():
            heavy = side(pull[rows], 0.0)
            heavy *= 1.0 - keep
            pull[rows] -= heavy
    return 1.0 - float(min(keep_up.min(), keep_down.min()))


def _inverse(s):
    """Return the inverse of weights, zero of those that are."""
    return np.divide(1.0, s, out=np.zeros_like(s), where=s > 0)


def _blocks(a):
    """Return slices that cut an array of rows into pieces that stay in cache."""
    step = max(1, _BLOCK // a.shape[1])
    return [slice(start, start + step) for start in range(0, len(a), step)]


def curvature(eta, shift, objective, total):
    """Return about the sums of the weighted second derivatives; ``total`` that of slopes."""
    if objective.loss.joint:
        return objective.curvatures(eta + shift).sum(axis=0)
    # A difference of compiled slopes: formulas in NumPy would cost several times as much.
    little = 1e-4 * objective.loss.unit(objective.y, objective.s)
    ahead = np.zeros(eta.shape[1]) + shift + little
    return (objective.shifted_slopes(eta, ahead)[2] - total) / little


def _rough_curvature(eta, shift, objective):
    """Return about what `curvature` does, from some rows; None where they may be unlike others."""
    loss, step = objective.loss, len(eta) // _SOME
    alike = loss.curvature and hasattr(loss, "hessian") and not (loss.flat or loss.codes)
    if step < 2 or not alike:
        return None
    h, s = loss.hessian(targets(objective)[::step], eta[::step] + shift, np), objective.s[::step]
    return (s @ h) * (objective.s.sum() / max(s.sum(), 1e-300))


def at_best_shift(eta, objective, balanced=_BALANCED):
    """Return weighted slopes at the intercepts where they add up to almost zero.

    Parameters
    ----------
    eta : ndarray of shape (n_rows, n_outputs)
        Linear predictors.
    objective : LinearObjective or ScaledObjective
        Whose losses; they have no kinks.
    balanced : float, default=1e-8
        Sums of slopes, relative to those of their sizes, that are small enough.

    Returns
    -------
    pull : ndarray of shape (n_rows, n_outputs)
        Weighted slopes at ``eta + shift``.
    shift : ndarray of shape (n_outputs,)
        What the intercepts gain.
    value, fall : float
        Sum of the weighted losses at ``eta``, and by how much it falls from there.
    total, size : ndarray of shape (n_outputs,)
        Sums of ``pull`` and of its absolute values.
    own, sums : ndarray of shape (n_rows, n_outputs), (n_outputs,)
        Weighted slopes at ``eta``, the same array as ``pull`` where these are the best, and their
        sums.
    """
    k = eta.shape[1]
    shift, low, high = np.zeros(k), np.full(k, -np.inf), np.full(k, np.inf)
    first = best = bend = own = sums = None
    off = last = np.inf
    for trial in range(_NEWTON):
        value, pull, total, size = objective.shifted_slopes(eta, shift)
        if trial == 0:
            first, own, sums, at_first = value, pull, total, np.maximum(size, 1e-300)
        ratio = float(np.max(np.abs(total) / at_first))
        if best is None or ratio < off:
            best, off = (pull, shift, first, first - value, total, size, own, sums), ratio
        if not off > balanced:
            break
        low, high = np.where(total < 0, shift, low), np.where(total > 0, shift, high)
        if bend is None or not ratio < 0.1 * last:
            # Near the root one slope of the sum serves several steps.
            bend = _rough_curvature(eta, shift, objective) if _ROUGH * ratio <= balanced else None
            bend = curvature(eta, shift, objective, total) if bend is None else bend
        last = ratio
        step = shift - total / bend
        wild = shift - np.sign(total) * 2.0**trial
        step = np.where(np.isfinite(step), step, wild)
        middle = np.where(np.isfinite(low) & np.isfinite(high), 0.5 * (low + high), wild)
        inside = (step > low) & (step < high)
        shift = np.where(total == 0, shift, np.where(inside, step, middle))
    return best


def between_kinks(eta, objective):
    """Return a mixture of the slopes on both sides of the best intercepts."""
    k = eta.shape[1]
    unit = objective.loss.unit(objective.y, objective.s)
    low, high, shift = np.full(k, -np.inf), np.full(k, np.inf), np.zeros(k)
    for trial in range(_BISECTIONS):
        total = objective.shifted_slopes(eta, shift)[2]
        low, high = np.where(total <= 0, shift, low), np.where(total >= 0, shift, high)
        known = np.isfinite(low) & np.isfinite(high)
        reach = 1e-3 * unit * 2.0**trial
        outside = np.where(np.isfinite(low), low + reach, high - reach)
        shift = np.where(known, 0.5 * (low + high), outside)
        if known.all() and (high - low <= 1e-13 * unit).all():
            break
    low, high = np.where(np.isfinite(low), low, high), np.where(np.isfinite(high), high, low)
    (_, below, down, _), (_, above, up, _) = (
        objective.shifted_slopes(eta, end) for end in (low, high)
    )
    down = -down
    total = down + up
    share = np.divide(up, total, out=np.ones_like(up), where=(up >= 0) & (down > 0))
    share = np.clip(share, 0.0, 1.0)
    below *= share
    above *= 1.0 - share
    below += above
    return below


def balanced_shares(eta, objective):
    """Return weighted slopes of a softmax whose classes have the weights of the data."""
    s, mass, k = objective.s, float(objective.s.sum()), eta.shape[1]
    own = np.arange(len(eta)), objective.y.astype(np.intp)
    wanted = np.bincount(own[1], weights=s, minlength=k)
    seen = wanted > 0
    # A class without rows is best forgotten: its share is zero.
    shift = np.where(seen, 0.0, -np.inf)
    for trial in range(_NEWTON):
        pull, total = objective.shifted_slopes(eta, shift)[1:3]
        given, off = wanted + total, -total[seen]
        if np.abs(off).max() <= _BALANCED * mass or trial == _NEWTON - 1:
            break
        if trial < 2:
            step = np.log(wanted[seen] / np.maximum(given[seen], 1e-300))
        else:
            pull[own] += s  # shares
            # Equal shifts change nothing; the constant makes them cost something.
            hessian = np.diag(given) + mass / k**2 - (_inverse(s)[:, None] * pull).T @ pull
            step = np.linalg.lstsq(hessian[np.ix_(seen, seen)], off, rcond=None)[0]
        shift[seen] += np.clip(step, -10.0, 10.0)
    # One share for all rows, mixed in as little as makes the sums agree.
    mix = max(0.0, float(np.max(1.0 - wanted[seen] / given[seen])))
    if mix > 0.0:
        q = np.maximum(wanted - (1.0 - mix) * given, 0.0)
        q *= mix / max(q.sum(), 1e-300)
        pull *= 1.0 - mix
        pull += s[:, None] * q
        pull[own] -= mix * s
    return pull


def balanced(eta, objective):
    """Return weighted slopes near ``eta``, which add up to zero over the rows."""
    if not objective.fit_intercept:
        return objective.slopes(eta)[1]
    if isinstance(objective.loss, Softmax):
        return balanced_shares(eta, objective)
    if objective.loss.smooth:
        pull = at_best_shift(eta, objective)[0]
    else:
        pull = between_kinks(eta, objective)
    evened(pull)
    return pull


def at_equality(eta, objective, enough):
    """Return weighted slopes that add up to zero, the loss part of their gap, sizes, and moves.

    Slopes of the loss at ``eta + shift`` make Fenchel's inequality an equality there, so
    ``loss + conjugate - u * eta`` is ``loss(eta) - loss(eta + shift) + u * shift`` and no
    conjugate is needed. Where a slope has lost a share, convexity between it and zero,
    whose conjugate is at most zero, adds that share of the loss. None for all where the
    share is a hundred times ``enough``, too large for this to be a good bound. The last is what
    `unread_gap` takes: the slopes at ``eta``, their sums, sizes, and the share; None without an
    intercept.
    """
    if not objective.fit_intercept:
        _, pull, _, size = objective.shifted_slopes(eta, np.zeros(eta.shape[1]))
        return pull, 0.0, size, None
    pull, shift, value, fall, total, size, own, sums = at_best_shift(eta, objective, enough)
    along = float(shift @ total)
    lost = evened(pull, total, size)
    if not lost <= 100.0 * enough:
        return None, None, None, None
    gap = (max(fall + along, 0.0) + lost * value) / objective.mass
    return pull, gap, size, (own, sums, size, lost)


def unread_gap(problem, theta, grad, pull, moves):
    """Return what an l2 penalty adds to a gap at least and at most, without a reading of X.

    The slopes of the losses have the sums that the gradient tells. Those that have been moved
    from there, so that they add up to zero, have others: by no more, in a column, than the root of
    the mean square of its entries times that of what they were moved by (Cauchy-Schwarz).

    Parameters
    ----------
    problem : Problem
        With an l2 part on all coefficients and no l1 part.
    theta, grad : ndarray of shape (n_params,)
        Point, and gradient there.
    pull, moves : ndarray of shape (n_rows, n_outputs), tuple
        From `at_equality`.

    Returns
    -------
    least, most : float
        Zero and infinity where the gradient is not that of these slopes.
    """
    own, sums, size, lost = moves
    objective = problem.objective
    G, g = objective.split(grad)
    if not (np.abs(g * objective.mass - sums) <= _SAME * size).all():
        return 0.0, np.inf
    square = 0.0
    for rows in _blocks(pull):
        moved = pull[rows] - own[rows] if own is not pull else lost / (1.0 - lost) * pull[rows]
        square = square + _inverse(objective.s[rows]) @ (moved * moved)
    square /= objective.mass
    off = (1.0 + _SAME) * np.sqrt(square[:, None] * objective.mean_squares())
    half = 0.5 / problem.l2
    least = float((np.maximum(np.abs(G) - off, 0.0) ** 2 * half).sum())
    return least, float(((np.abs(G) + off) ** 2 * half).sum())


def _scalings(problem, pull, v, softmax):
    """Return factors of the slopes to try, each of shape (n_outputs,)."""
    one = np.ones(len(v))
    if not problem.has_l1:
        return [one]
    room = np.where(v != 0, problem.l1 / np.abs(v), np.inf).min(axis=1, initial=np.inf)
    room = (room.min() * one if softmax else room) * (1.0 - 4.0 * _EPS)
    least = np.minimum(room, 1.0)
    if problem.has_l2:
        return [one] if (room >= 1.0).all() else [one, least]
    if not isinstance(problem.objective.loss, SquaredError):
        return [least]
    # D is a parabola along the slopes, and they may grow as well.
    objective = problem.objective
    y, s = objective.y.reshape(pull.shape), objective.s
    top = -np.einsum("ij,ij->j", pull, y) / np.einsum("ij,ij,i->j", pull, pull, _inverse(s))
    top = np.where(np.isfinite(top), top, 1.0)
    return [least, np.clip(top, 0.0, np.minimum(room, 2.0))]


def gap_by_conjugates(problem, W, eta, v, pull):
    """Return the gap by the formulas of the conjugates, and the size of its terms."""
    softmax = isinstance(problem.objective.loss, Softmax)
    factors = _scalings(problem, pull, v, softmax)
    parts = np.zeros((len(factors), 1 if softmax else len(v)))
    along = 0.0
    for rows in _blocks(eta):
        along += float(np.abs(pull[rows] * eta[rows]).sum())
        parts += _loss_gaps(problem.objective, rows, eta[rows], pull[rows], factors, softmax)
    for part, c in zip(parts, factors, strict=True):
        coef = penalty_gap(problem, W, c[:, None] * v)
        part += coef.sum() if softmax else coef
    # Outputs that share no row of a matrix of slopes have bounds of their own.
    return float(np.fmin.reduce(parts, axis=0).sum()), along


def slopes_gap(objective, losses, eta, pull):
    r"""Return what slopes leave of the gap of losses that are made of lines.

    .. math::

        \frac1m \sum_i s_i \left(\ell_i(\eta_i) + \ell_i^*(u_i) - u_i \eta_i\right), \qquad
        \ell_i^*(u) = u y_i + \epsilon |u|

    with :math:`\epsilon` half the width of a tube, else 0.

    Parameters
    ----------
    objective : LinearObjective or ScaledObjective
        With a loss that has kinks and no other curvature.
    losses : float
        Sum of its weighted losses.
    eta, pull : ndarray of shape (n_rows, n_outputs)
        Linear predictors, and slopes of other losses, :math:`s_i u_i`.

    Returns
    -------
    float
        Not below zero but for rounding.
    """
    # Both may be large, and their difference small.
    total = float(losses) - float(np.vdot(pull, eta - targets(objective)))
    tube = getattr(objective.loss, "epsilon", 0.0)
    if tube:
        total += tube * float(np.abs(pull).sum())
    return total / objective.mass


def _loss_gaps(objective, rows, eta, pull, factors, softmax):
    """Return the means of ``loss + conjugate - u * eta`` over a block, per scaling."""
    loss, y, s = objective.loss, objective.y[rows], objective.s[rows, None]
    flat = y.ndim == 1 and eta.shape[1] == 1 and not loss.codes
    u = np.divide(pull, s, out=np.zeros_like(pull), where=s > 0)
    if flat:
        y = y[:, None]
    if not softmax:
        u = loss.project(y, u, np)
    losses = loss.value(y, eta, np)
    parts = []
    for c in factors:
        dual = c * u
        if isinstance(loss, RegressionLoss):
            # A residual loss moves with its target, so nothing has to cancel.
            less = loss.conjugate(y - eta, dual, np)
        elif softmax:
            less = loss.conjugate(y, dual, np) - (dual * eta).sum(axis=1)
        else:
            less = loss.conjugate(y, dual, np) - dual * eta
        terms = (losses + less).reshape(len(s), -1)
        parts.append(np.where(s > 0, s * terms, 0.0).sum(axis=0) / objective.mass)
    return np.array(parts)


def penalty_gap(problem, W, v):
    """Return ``R(w) + R*(v) - v . w`` of each output, a sum of terms not below zero."""
    l1, l2 = problem.l1, problem.l2
    if problem.has_l2 and not problem.has_l1:
        return _squares_over(l2 * W - v, l2)
    beyond = np.sign(v) * np.maximum(np.abs(v) - l1, 0.0)
    terms = l1 * np.abs(W) - (v - beyond) * W
    if problem.has_l2:
        terms = terms + (l2 * W - beyond) ** 2 / (2.0 * l2)
    return terms.sum(axis=1)


def _squares_over(left, l2):
    """Return the sums over columns of ``left**2 / (2 * l2)``."""
    left = left * left
    left /= 2.0 * l2
    return left.sum(axis=1)


def promised(problem, theta, value, grad, power=2):
    """Return about the gap at a point whose gradient is known; reads no rows.

    Slopes scaled by ``c``, so that an l1 part allows them, widen the gap of the losses by about
    ``(1 - c)**2`` of these, by ``1 - c`` where a kink is near, and make ``v . w`` smaller by the
    factor. The gradient in the intercepts says what their best values gain, if the loss bends as
    much as it can.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    theta, value, grad : ndarray, float, ndarray
        Point, F there, and the gradient of its smooth part.
    power : int, default=2
        1 for losses that are all but kinked.

    Returns
    -------
    float
        Not below zero but for rounding.
    """
    objective = problem.objective
    W, (G, g) = objective.split(theta)[0], objective.split(grad)
    with np.errstate(all="ignore"):
        if problem.has_l2 and not problem.has_l1:
            gap = float(_squares_over(G, problem.l2).sum())
        elif problem.has_l2:
            gap = float(penalty_gap(problem, W, problem.l2 * W - G).sum())
        else:
            size = float((problem.l1 * np.abs(W)).sum())
            c = float(np.minimum(problem.l1 / np.abs(G), 1.0).min(initial=1.0))
            gap = (1.0 - c) ** power * (value - size) + size + c * float(np.vdot(G, W))
        if objective.loss.curvature:
            gap += 0.5 * float(g @ g) / objective.loss.curvature
    return gap


def has_gap(problem):
    """Return whether a duality gap bounds the distance to the optimum.

    Parameters
    ----------
    problem : Problem
        What is minimised.

    Returns
    -------
    bool
        True where the loss has a conjugate and the penalty is of the elastic-net family.
        Without a penalty no finite bound follows from the slopes at one point.
    """
    penalised = problem.has_l1 or problem.has_l2
    return penalised and not problem.custom and problem.objective.loss.has_conjugate


def targets(objective):
    """Return targets that formulas of a loss take beside two-dimensional slopes."""
    flat = objective.y.ndim == 1 and objective.n_outputs == 1 and not objective.loss.codes
    return objective.y[:, None] if flat else objective.y
