"""How far a point is from the optimum at most: the duality gap."""

import numpy as np
from scipy.linalg import LinAlgError

from .losses import RegressionLoss, Softmax, SquaredError
from .solvers._curvature import Factored, block_size

__all__ = ["Certificate", "has_gap"]

_EPS = np.finfo(float).eps
_BALANCED = 1e-8  # sums of slopes this small, relative, move the gap by its square
_NEWTON, _BISECTIONS = 12, 45
_BLOCK = 2**14  # entries of the arrays that formulas of losses make on their way
_LEAST_ROOM, _SHARE = 2**20, 0.02  # bytes, and part of X, that a Hessian may take
_FACTORED = 500  # coefficients up to which the dual point is improved by Newton steps
_STEPS, _HALVINGS = 3, 5
_LEAST = 1e-6  # figure for which Newton steps are made whatever ``tol`` is
_NEAR = 10.0  # times the gap asked for: what a diagonal Hessian promises is too hopeful


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


class Certificate:
    r"""Upper bounds on how far points are from the optimum of a problem.

    For slopes :math:`u_i` with :math:`\sum_i s_i u_i = 0` (where there is an intercept) and
    :math:`m = \sum_i s_i`, Fenchel's inequality gives

    .. math::

        F^* \ge D(u) = -\frac1m \sum_i s_i \ell_i^*(u_i) - R^*(v), \qquad
        v = -\frac1m \sum_i s_i u_i x_i, \qquad
        R^*(v) = \sum_j \frac{(|v_j| - \lambda_{1j})_+^2}{2 \lambda_{2j}}

    where a coordinate without an l2 part asks for :math:`|v_j| \le \lambda_{1j}`.

    Parameters
    ----------
    problem : Problem
        What is minimised; `has_gap` holds for it.
    null_value : float
        F at zero coefficients with the best intercept.
    tol : float, default=0.0
        Figure from which on no work is spent on a smaller one.

    Attributes
    ----------
    bound : float
        The best D so far: F is nowhere below it.
    at_rounding : bool
        Whether the last gap was too small to be told from rounding.

    Notes
    -----
    The slopes are those of the losses at the point, at its best intercept, moved as
    little as the constraints ask. A gap costs two readings of X (margins, and the sum of
    rows weighted by slopes) and several evaluations of the losses, for narrow data as much
    as five to ten passes; it holds three to four float64 arrays of shape
    ``(n_rows, n_outputs)``, whatever the type of the rows.
    The figure includes a few units of rounding of F, so that it is never below the truth.

    Where an l2 part is small or missing, the constraints ask for much: the figure is then of
    the order of the gradient over :math:`\alpha`, though F may be at its optimum. So where it
    is above ``tol`` and the gradient says that it need not be, the slopes are taken at
    :math:`\eta + X p`, with :math:`p` the Newton step of the whole of F, after which
    :math:`v` is within its bounds but for terms of second order; three times at most. For
    the squared error this projects onto the constraints. It is done up to 500 coefficients
    (for softmax of all classes together) and costs two readings of X each time and a Hessian
    of all rows, which is kept for the next ones unless rows without curvature come and go.
    No step of the run is changed.

    References
    ----------
    .. [1] S. Shalev-Shwartz, T. Zhang (2013). "Stochastic dual coordinate ascent methods
       for regularized loss minimization". JMLR 14.
    .. [2] O. Fercoq, A. Gramfort, J. Salmon (2015). "Mind the duality gap: safer rules
       for the Lasso". ICML.
    """

    def __init__(self, problem, null_value, tol=0.0):
        self.problem, self.null_value, self.tol = problem, null_value, tol
        self.bound, self.at_rounding = -np.inf, False
        self._last = self._model = None

    def optimality(self, theta, value):
        """Return ``(F - D) / (F0 - D)`` at a point, with the best D so far.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            Point, in the variables of the objective.
        value : float
            F there.

        Returns
        -------
        float
            At least ``(F - F*) / (F0 - F*)`` wherever F is at most F0. Zero where neither
            F nor F0 can be told from the optimum. Sets ``bound`` and ``at_rounding``.
        """
        if self._last is not None and np.array_equal(self._last[0], theta):
            slack = self._last[1]
        else:
            with np.errstate(all="ignore"):
                eta = self.problem.objective.linear(theta)
                v, slack, pull = self._raise_bound(theta, value, eta)
                if self._figure(value, slack) > self.tol and self._promising(theta, value, eta, v):
                    self._improve(theta, value, eta, v, slack, pull)
            self._last = theta.copy(), slack
        return self._figure(value, slack)

    def _figure(self, value, slack):
        gap, whole = value - self.bound, self.null_value - self.bound
        noise = 4.0 * slack
        self.at_rounding = bool(gap <= noise)
        if not np.isfinite(gap):
            return np.inf
        if self.at_rounding and whole <= noise:
            return 0.0
        return float(max(gap, 0.0) / whole) if whole > 0 else np.inf

    # -- a better dual point ----------------------------------------------------------

    def _promising(self, theta, value, eta, v):
        """Return whether a Newton step may bring the figure below ``tol``, and is cheap."""
        objective = self.problem.objective
        loss = objective.loss
        if self.at_rounding or not hasattr(getattr(loss, "loss", loss), "hessian"):
            return False
        size = block_size(objective)
        room = max(_LEAST_ROOM, _SHARE * objective.n_stored * objective.dtype.itemsize)
        if size > _FACTORED or 24 * size**2 > room or not np.isfinite(v).all():
            return False
        # What Newton's step would gain if columns did not depend on each other.
        W, l1, l2 = objective.split(theta)[0], self.problem.l1, self.problem.l2
        off = v - l2 * W
        free = np.sign(off) * np.maximum(np.abs(off) - l1, 0.0)
        off = np.where(W != 0, off - l1 * np.sign(W), free)
        total = objective.slopes(eta)[1].sum(axis=0)
        bend = _curvature(eta, 0.0, objective, total)[:, None] / objective.mass + l2
        gain = 0.5 * float((off**2 / np.maximum(bend, 1e-300)).sum())
        return gain <= _NEAR * max(self.tol, _LEAST) * (self.null_value - value)

    def _improve(self, theta, value, eta, v, slack, pull):
        """Raise the bound from the slopes at the next points of a Newton method."""
        problem, objective = self.problem, self.problem.objective
        rows, here, old = objective.active(), value, self._model is not None
        for trial in range(_STEPS):
            grad = np.zeros_like(theta)
            objective.split(grad)[0][:] = problem.l2 * objective.split(theta)[0] - v
            bend = self._roomy(eta, pull)
            try:
                # Second derivatives change little near the optimum: an old Hessian has one try.
                if self._model is None or bend is not None or (old and trial == 1):
                    self._model = Factored(problem, eta, rows, bend)
                if problem.has_l1:
                    step = self._model.minimum(problem, theta, grad) - theta
                else:
                    step = -self._model.solve(grad)
            except (LinAlgError, ValueError):
                return
            moved = objective.linear(step)
            if not np.isfinite(moved).all():
                return
            if bend is not None:
                self._raise_bound(theta, here, eta, self._along(pull, bend * moved))
                if self._figure(value, slack) <= self.tol:
                    return
            t = 1.0
            for _ in range(_HALVINGS):
                found = problem.value(theta + t * step, objective.slopes(eta + t * moved)[0])
                if found <= here + slack:
                    break
                t *= 0.5
            # Rounding of a long step must not pass for margins: they are taken anew.
            theta = theta + t * step
            eta = objective.linear(theta)
            here = problem.value(theta, objective.slopes(eta)[0])
            if not np.isfinite(here):
                return
            v, _, pull = self._raise_bound(theta, here, eta)
            if self._figure(value, slack) <= self.tol or isinstance(objective.loss, SquaredError):
                return
            if value - here > max(self.tol, _LEAST) * (self.null_value - here):
                return  # F is known to be lower elsewhere, by too much

    def _roomy(self, eta, pull):
        """Return curvatures, less where slopes are near their bounds; None if none is zero.

        Slopes that are moved in proportion to these stay within their bounds where others
        would be cut off.
        """
        loss, y, s = self.problem.objective.loss, self._targets(), self.problem.objective.s
        if not loss.flat:
            return None  # enough rows are bent for some of them to come or go
        h = loss.hessian(y, eta, np)
        seen = h > 0
        if seen.all() or not seen.any():
            return None
        u = np.divide(pull, s[:, None], out=np.zeros_like(pull), where=s[:, None] > 0)
        far = np.full_like(u, np.inf)
        room = np.minimum(u - loss.project(y, -far, np), loss.project(y, far, np) - u)
        bounded = seen & np.isfinite(room)
        usual = np.maximum(room, 0.0)[bounded].mean() if bounded.any() else 0.0
        return h * np.clip(room / usual, 0.0, 1.0) if usual > 0 else h

    def _along(self, pull, change):
        """Return weighted slopes moved by a change, within their bounds, adding up to zero."""
        objective = self.problem.objective
        s = objective.s[:, None]
        u = np.divide(pull, s, out=np.zeros_like(pull), where=s > 0) + change
        pull = s * objective.loss.project(self._targets(), u, np)
        return _evened(pull) if objective.fit_intercept else pull

    def _targets(self):
        """Return targets that formulas of the loss take beside two-dimensional slopes."""
        objective = self.problem.objective
        flat = objective.y.ndim == 1 and objective.n_outputs == 1 and not objective.loss.codes
        return objective.y[:, None] if flat else objective.y

    # -- the gap --------------------------------------------------------------------

    def _raise_bound(self, theta, value, eta, pull=None):
        """Take a gap at a point into ``bound``; return ``v``, size of rounding and slopes."""
        objective = self.problem.objective
        softmax = isinstance(objective.loss, Softmax)
        if pull is None:
            pull = self._balanced(eta, softmax)  # s u, which adds up to zero
        v = objective.split(objective.adjoint(pull))[0] / -objective.mass
        scalings = self._scalings(pull, v, softmax)
        parts = np.zeros((len(scalings), 1 if softmax else len(v)))
        along = 0.0
        for rows in _blocks(eta):
            along += float(np.abs(pull[rows] * eta[rows]).sum())
            parts += self._loss_gaps(rows, eta[rows], pull[rows], scalings, softmax)
        W = objective.split(theta)[0]
        for part, c in zip(parts, scalings, strict=True):
            coef = self._penalty_gap(W, c[:, None] * v)
            part += coef.sum() if softmax else coef
        # Outputs that share no row of a matrix of slopes have bounds of their own.
        gap = float(np.fmin.reduce(parts, axis=0).sum())
        # Margins and v are sums of terms that may be larger than what they add up to.
        along += float(np.abs(pull).sum(axis=0) @ np.abs(W).sum(axis=1))
        slack = 8.0 * _EPS * (abs(value) + along / objective.mass)
        if np.isfinite(gap):
            self.bound = max(self.bound, value - gap - slack)
        return v, slack, pull

    def _loss_gaps(self, rows, eta, pull, scalings, softmax):
        """Return the means of ``loss + conjugate - u * eta`` over a block, per scaling."""
        objective = self.problem.objective
        loss, y, s = objective.loss, objective.y[rows], objective.s[rows, None]
        flat = y.ndim == 1 and eta.shape[1] == 1 and not loss.codes
        u = np.divide(pull, s, out=np.zeros_like(pull), where=s > 0)
        if flat:
            y = y[:, None]
        if not softmax:
            u = loss.project(y, u, np)
        losses = loss.value(y, eta, np)
        parts = []
        for c in scalings:
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

    def _penalty_gap(self, W, v):
        """Return ``R(w) + R*(v) - v . w`` of each output, a sum of terms not below zero."""
        l1, l2 = self.problem.l1, self.problem.l2
        beyond = np.sign(v) * np.maximum(np.abs(v) - l1, 0.0)
        terms = l1 * np.abs(W) - (v - beyond) * W
        if self.problem.has_l2:
            terms = terms + (l2 * W - beyond) ** 2 / (2.0 * l2)
        return terms.sum(axis=1)

    def _scalings(self, pull, v, softmax):
        """Return factors of the slopes to try, each of shape (n_outputs,)."""
        problem, one = self.problem, np.ones(len(v))
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
        inverse = np.divide(1.0, s, out=np.zeros_like(s), where=s > 0)
        top = -np.einsum("ij,ij->j", pull, y) / np.einsum("ij,ij,i->j", pull, pull, inverse)
        top = np.where(np.isfinite(top), top, 1.0)
        return [least, np.clip(top, 0.0, np.minimum(room, 2.0))]

    # -- slopes that an intercept allows --------------------------------------------

    def _balanced(self, eta, softmax):
        """Return weighted slopes near ``eta``, which add up to zero over the rows."""
        objective = self.problem.objective
        if not objective.fit_intercept:
            return objective.slopes(eta)[1]
        if softmax:
            return _balanced_shares(eta, objective)
        if objective.loss.smooth:
            pull = _at_best_shift(eta, objective)
        else:
            pull = _between_kinks(eta, objective)
        return _evened(pull)


def _evened(pull):
    """Take what slopes add up to from the heavier side, in place."""
    # Intervals that hold zero allow it.
    total, size = pull.sum(axis=0), np.abs(pull).sum(axis=0)
    up, down = 0.5 * (size + total), 0.5 * (size - total)
    even = np.maximum(np.minimum(up, down), 0.0)
    keep_up = np.divide(even, up, out=np.ones_like(up), where=up > 0)
    keep_down = np.divide(even, down, out=np.ones_like(down), where=down > 0)
    for rows in _blocks(pull):
        pull[rows] *= np.where(pull[rows] > 0, keep_up, keep_down)
    return pull


def _blocks(a):
    """Return slices that cut an array of rows into pieces that stay in cache."""
    step = max(1, _BLOCK // a.shape[1])
    return [slice(start, start + step) for start in range(0, len(a), step)]


def _curvature(eta, shift, objective, total):
    """Return about the sums of the weighted second derivatives; ``total`` that of slopes."""
    if objective.loss.joint:
        return objective.curvatures(eta + shift).sum(axis=0)
    # A difference of compiled slopes: formulas in NumPy would cost several times as much.
    little = 1e-4 * objective.loss.unit(objective.y, objective.s)
    return (objective.slopes(eta + (shift + little))[1].sum(axis=0) - total) / little


def _at_best_shift(eta, objective):
    """Return weighted slopes at the intercepts where they add up to almost zero."""
    k = eta.shape[1]
    shift, low, high = np.zeros(k), np.full(k, -np.inf), np.full(k, np.inf)
    best, off = None, np.inf
    for trial in range(_NEWTON):
        pull = objective.slopes(eta + shift)[1]
        total, size = pull.sum(axis=0), np.abs(pull).sum(axis=0)
        ratio = float(np.max(np.abs(total) / np.maximum(size, 1e-300)))
        if best is None or ratio < off:
            best, off = pull, ratio
        if not off > _BALANCED:
            break
        low, high = np.where(total < 0, shift, low), np.where(total > 0, shift, high)
        step = shift - total / _curvature(eta, shift, objective, total)
        wild = shift - np.sign(total) * 2.0**trial
        step = np.where(np.isfinite(step), step, wild)
        middle = np.where(np.isfinite(low) & np.isfinite(high), 0.5 * (low + high), wild)
        inside = (step > low) & (step < high)
        shift = np.where(total == 0, shift, np.where(inside, step, middle))
    return best


def _between_kinks(eta, objective):
    """Return a mixture of the slopes on both sides of the best intercepts."""
    k = eta.shape[1]
    unit = objective.loss.unit(objective.y, objective.s)
    low, high, shift = np.full(k, -np.inf), np.full(k, np.inf), np.zeros(k)
    for trial in range(_BISECTIONS):
        total = objective.slopes(eta + shift)[1].sum(axis=0)
        low, high = np.where(total <= 0, shift, low), np.where(total >= 0, shift, high)
        known = np.isfinite(low) & np.isfinite(high)
        reach = 1e-3 * unit * 2.0**trial
        outside = np.where(np.isfinite(low), low + reach, high - reach)
        shift = np.where(known, 0.5 * (low + high), outside)
        if known.all() and (high - low <= 1e-13 * unit).all():
            break
    low, high = np.where(np.isfinite(low), low, high), np.where(np.isfinite(high), high, low)
    below, above = (objective.slopes(eta + end)[1] for end in (low, high))
    down, up = -below.sum(axis=0), above.sum(axis=0)
    total = down + up
    share = np.divide(up, total, out=np.ones_like(up), where=(up >= 0) & (down > 0))
    share = np.clip(share, 0.0, 1.0)
    below *= share
    above *= 1.0 - share
    below += above
    return below


def _balanced_shares(eta, objective):
    """Return weighted slopes of a softmax whose classes have the weights of the data."""
    s, mass, k = objective.s, float(objective.s.sum()), eta.shape[1]
    codes = objective.y.astype(np.intp)
    wanted = np.bincount(codes, weights=s, minlength=k)
    seen = wanted > 0
    # A class without rows is best forgotten: its share is zero.
    shift = np.where(seen, 0.0, -np.inf)
    for trial in range(_NEWTON):
        given, hessian = np.zeros(k), np.zeros((k, k))
        for rows in _blocks(eta):
            p = objective.loss.proba(eta[rows] + shift, np)
            given += s[rows] @ p
            if trial >= 2:
                hessian -= (s[rows, None] * p).T @ p
        off = (wanted - given)[seen]
        if np.abs(off).max() <= _BALANCED * mass or trial == _NEWTON - 1:
            break
        if trial < 2:
            step = np.log(wanted[seen] / np.maximum(given[seen], 1e-300))
        else:
            # Equal shifts change nothing; the constant makes them cost something.
            hessian = (hessian + np.diag(given) + mass / k**2)[np.ix_(seen, seen)]
            step = np.linalg.lstsq(hessian, off, rcond=None)[0]
        shift[seen] += np.clip(step, -10.0, 10.0)
    # One share for all rows, mixed in as little as makes the sums agree.
    mix = max(0.0, float(np.max(1.0 - wanted[seen] / given[seen])))
    q = np.maximum(wanted - (1.0 - mix) * given, 0.0)
    q *= mix / max(q.sum(), 1e-300)
    pull = np.empty_like(eta)
    for rows in _blocks(eta):
        p = (1.0 - mix) * objective.loss.proba(eta[rows] + shift, np) + q
        p[np.arange(len(p)), codes[rows]] -= 1.0
        pull[rows] = s[rows, None] * p
    return pull
