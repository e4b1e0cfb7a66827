"""How far a point is from the optimum at most: the duality gap."""

import numpy as np
from scipy.linalg import LinAlgError

from ._dual import (
    at_best_shift,
    at_equality,
    balanced,
    curvature,
    evened,
    gap_by_conjugates,
    penalty_gap,
    promised,
    targets,
    unread_gap,
)
from ._room import lacks_room, nearer, roomy, solved_part
from ._smoother import foreseen, left_by, optimum_of, wider_band
from .losses import Huber, Softmax, SquaredError
from .solvers._curvature import FACTORED, Factored, block_size

__all__ = ["Certificate", "fall"]

_EPS = np.finfo(float).eps
_EVEN = 1e-12  # share of slopes that is always given up to make them add up to zero
_LEAST_ROOM, _SHARE = 2**20, 0.02  # bytes, and part of X, that a Hessian may take
_FACTORED = 500  # coefficients up to which the dual point is improved by Newton steps
_STEPS, _HALVINGS = 3, 5
_MORE_STEPS = 12  # while each of them halves the gap
_NO_FALL = 1e-8  # of F at zero coefficients
_LEAST = 1e-6  # figure for which Newton steps are made whatever ``tol`` is
_SMOOTHINGS = 3
_PART = 0.3  # of the gap asked for, that a smooth problem may lie below
_ROOMS, _IN_VAIN = 40, 3  # times that slopes are moved for an l1 part, at all and for nothing
_SOLVED = 0.65  # of the gap asked for, that may be left where no column pulls too much
_AFRESH = 0.6  # of that, for the next time, where it was promised too much
_WIDE = 16  # entries of a row, from which a reading of X costs more than sums over rows
_NEAR = 10.0  # times the gap asked for: what a diagonal Hessian promises is too hopeful


def fall(null_value, bound):
    """Return by how much F falls from zero coefficients to a bound."""
    # By less than eight digits is not at all: there is nothing to compare a gap with.
    return max(null_value - bound, _NO_FALL * abs(null_value))


def _rounding(size):
    return 8.0 * _EPS * size


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
    awaited : bool, default=True
        Whether a run goes on until the figure is at most ``tol``. Where none does, it is not
        worth solving another problem for, as `Huber` with a tiny ``epsilon`` asks.

    Attributes
    ----------
    bound : float
        The best D so far, at first zero: F is nowhere below it.
    at_rounding : bool
        Whether the last gap was too small to be told from rounding.
    room : bool
        Whether slopes are moved for an l1 part, at first true: not where a step costs less.

    Notes
    -----
    The slopes are those of the losses at the point, at its best intercept, moved as
    little as the constraints ask. A gap costs two readings of X (margins, where they are not
    at hand, and the sum of rows weighted by slopes) and a few evaluations of the losses; with an
    l2 part alone and a gradient at hand none, where what the slopes were moved by is too little
    to matter; with an l1 part, softmax or kinks also formulas of conjugates, for narrow data as
    much as five to ten passes. It holds three to four float64 arrays of shape
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

    With an l1 part alone, a loss that has second derivatives and more than 1,500 coefficients that
    depend on each other, slopes are instead moved until no column pulls more than it may, by second
    derivatives along those that do: where a gap below ``tol`` would be left if none did, up to
    forty times, of 20 to 60 readings of these columns each. Scaling all slopes by the worst column,
    one that a handful of rows have, may ask for three times the steps.

    References
    ----------
    .. [1] S. Shalev-Shwartz, T. Zhang (2013). "Stochastic dual coordinate ascent methods
       for regularized loss minimization". JMLR 14.
    .. [2] O. Fercoq, A. Gramfort, J. Salmon (2015). "Mind the duality gap: safer rules
       for the Lasso". ICML.
    """

    changing = "null_value bound at_rounding model _last _outputs _smoothings _wider".split()

    def __init__(self, problem, null_value, tol=0.0, awaited=True):
        self.problem, self.null_value, self.tol = problem, null_value, tol
        self.bound, self.at_rounding = 0.0, False  # losses and penalties are not negative
        self.room = True
        self.model = None  # Hessian of F near the optimum, to begin with the next time
        self._last = self._outputs = None
        self._smoothings = 0 if awaited else _SMOOTHINGS
        self._left = np.inf  # above which slopes are not moved again for an l1 part
        self._wider = []  # the last smooth losses below, and points near their optima

    def __getstate__(self):
        return vars(self) | {"problem": None}  # which has the rows

    def attach(self, problem):
        """Give the problem to a certificate that was pickled without."""
        self.problem = problem
        for one, part in zip(self._outputs or (), problem.outputs(), strict=False):
            one.attach(part)

    def promise(self, theta, value, grad):
        """Return about the figure that `optimality` will give; reads no rows.

        Parameters
        ----------
        theta, value, grad : ndarray, float, ndarray
            Point, F there, and the gradient of the smooth part of F.

        Returns
        -------
        float
            Too small by what a bound on slopes asks, and where the loss has no largest
            curvature by what the best intercept does.
        """
        gap = promised(self.problem, theta, value, grad)
        bend = self.problem.objective.loss.curvature
        if bend and self.room and lacks_room(self.problem):
            v = -self.problem.objective.split(grad)[0]
            gap = min(gap, solved_part(self.problem, theta, v, bend) / _SOLVED)
        gap = min(gap, value - self.bound)
        whole = self.whole(value - gap)
        return gap / whole if whole > 0.0 else np.nan

    def whole(self, bound):
        """Return what a gap is compared with, were this the bound of F."""
        return fall(self.null_value, bound)

    @property
    def improves(self):
        """Whether it may find a smaller gap than the gradient promises; an l2 part alone may not.

        Else the slopes at the point are all that it has.
        """
        problem = self.problem
        loss = problem.objective.loss
        plain = loss.smooth and not isinstance(loss, Huber)
        return problem.has_l1 or not plain or self._is_small()

    def _is_small(self):
        """Return whether the dual point can be improved by Newton steps."""
        objective = self.problem.objective
        loss = objective.loss
        if not hasattr(getattr(loss, "loss", loss), "hessian"):
            return False
        size = block_size(objective)
        room = max(_LEAST_ROOM, _SHARE * objective.n_stored * objective.dtype.itemsize)
        return size <= _FACTORED and 24 * size**2 <= room

    def is_known(self, value):
        """Return whether the bound so far gives a figure of at most ``tol`` at this F."""
        return self._figure(value, _rounding(abs(value))) <= self.tol

    def optimality(self, theta, value, eta=None, below=None, dual=None, grad=None):
        """Return ``(F - D) / (F0 - D)`` at a point, with the best D so far.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            Point, in the variables of the objective.
        value : float
            F there.
        eta : ndarray of shape (n_rows, n_outputs), default=None
            Linear predictors there, where they are at hand.
        below : list of tuple (loss, theta, value, eta), default=None
            For each output that depends on no other: a loss that is nowhere above that of this
            problem, a point near the optimum of F with it, and that F and the linear predictors
            there.
        dual : ndarray of shape (n_outputs, n_rows), default=None
            Slopes, not weighted, of a solver that keeps them: those that take the place of the
            losses' own.
        grad : ndarray of shape (n_params,), default=None
            Gradient of the smooth part of F there, where it is at hand: it may save a reading of X.

        Returns
        -------
        float
            At least ``(F - F*) / (F0 - F*)`` wherever F is at most F0. Zero where neither
            F nor F0 can be told from the optimum. Sets ``bound`` and ``at_rounding``. Where the
            bound so far gives a figure of at most ``tol``, nothing is read.
        """
        same = self._last is not None and np.array_equal(self._last[0], theta)
        if same and below is None and dual is None:
            slack = self._last[1]
        elif self.is_known(value):
            slack = _rounding(abs(value))
        else:
            with np.errstate(all="ignore"):
                if eta is None:
                    eta = self.problem.objective.linear(theta)
                if below is not None and len(below) > 1:
                    slack = self._by_output(theta, value, eta, below)
                elif dual is not None:
                    slack = self._of_dual(theta, value, eta, dual)
                elif below is not None:
                    slack = self._from_below(theta, value, eta, *below[0])
                else:
                    slack = self._at(theta, value, eta, grad)
        figure = self._figure(value, slack)
        # Above ``tol`` it may be smaller without the gradient, and is worth another look.
        self._last = (theta.copy(), slack) if grad is None or figure <= self.tol else None
        return figure

    def _at(self, theta, value, eta, grad=None):
        """Raise the bound by what a point says; return the size of rounding."""
        v, slack, pull = self._raise_bound(theta, value, eta, grad=grad)
        if self._figure(value, slack) > self.tol and self._promising(theta, value, eta, v):
            self._improve(theta, value, eta, v, slack, pull)
        if self._figure(value, slack) > self.tol and self._smoothings < _SMOOTHINGS:
            self._smooth(theta, value, eta)
        if self.room and self._figure(value, slack) > self.tol and lacks_room(self.problem):
            self._make_room(theta, value, eta, v, slack)
        return slack

    def _of_dual(self, theta, value, eta, dual):
        """Do the same by slopes that are given."""
        pull = self.problem.objective.s[:, None] * dual.T
        if self.problem.objective.fit_intercept:
            evened(pull)
        slack = self._raise_bound(theta, value, eta, pull)[1]
        if self._figure(value, slack) > self.tol:
            self._raise_bound(theta, value, eta)  # the losses' own may be nearer by far
        return slack

    def _from_below(self, theta, value, eta, loss, *there):
        """Do the same by the optimum of a smooth loss below that of the problem."""
        lower = self.problem.with_loss(loss, self.problem.alpha)
        given = self._slopes_of(lower.objective, there[-1])
        slack = self._raise_bound(theta, value, eta, given)[1]
        if not loss.below:
            pull, kinked = None, not self.problem.objective.loss.smooth
            if kinked and self._figure(value, slack) > self.tol:
                pull = foreseen(lower, there[0], there[-1])
            if pull is not None and np.isfinite(pull).all():
                self._raise_bound(theta, value, eta, self._along(pull, 0.0))
            return slack
        if self._figure(value, slack) > self.tol:
            # F with that loss is nowhere above F, so a bound of its optimum is one of F's.
            other = Certificate(lower, self.null_value, self.tol)
            other.optimality(*there)
            self.bound = max(self.bound, other.bound)
        self._wider = [*self._wider[1 - _SMOOTHINGS :], (loss, there[0])]
        enough = _PART * max(self.tol, _LEAST) * (self.null_value - value)
        if self._figure(value, slack) > self.tol and left_by(lower, self.problem, *there) <= enough:
            # The wider a band is, the more digits slopes have, and they are nearer than points.
            for wider, point in self._wider:
                self._solve(self.problem.with_loss(wider, self.problem.alpha), point)
                if self._figure(value, slack) <= self.tol:
                    break
        return slack

    def _by_output(self, theta, value, eta, below):
        """Do the same for each output by itself, and add up."""
        if self._outputs is None:
            self._outputs = [Certificate(one, 0.0, self.tol) for one in self.problem.outputs()]
        W, b = self.problem.objective.split(theta)
        slack, share = 0.0, (self.null_value - value) / len(below)
        for j, (one, there) in enumerate(zip(self._outputs, below, strict=True)):
            own = np.append(W[j], b[j])
            at = np.ascontiguousarray(eta[:, j : j + 1])
            losses = one.problem.objective.shifted_slopes(at, np.zeros(1))[0]
            here = one.problem.value(own, losses)
            # Each has an equal part of the gap that is allowed.
            one.null_value = here + share
            one.optimality(own, here, at, [there])
            slack += one._last[1]
        self.bound = max(self.bound, sum(one.bound for one in self._outputs))
        return slack

    def _slopes_of(self, objective, eta):
        """Return weighted slopes of other losses, which are a dual point of this problem."""
        if not objective.fit_intercept:
            return objective.slopes(eta)[1]
        # Exactly: what is left over is taken from rows far from a kink, which feel it.
        pull = at_best_shift(eta, objective, _EVEN)[0]
        evened(pull)
        return pull

    def _figure(self, value, slack):
        gap, whole = value - self.bound, self.whole(self.bound)
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
        if self.at_rounding or not self._is_small() or not np.isfinite(v).all():
            return False
        objective = self.problem.objective
        # What Newton's step would gain if columns did not depend on each other.
        W, l1, l2 = objective.split(theta)[0], self.problem.l1, self.problem.l2
        off = v - l2 * W
        free = np.sign(off) * np.maximum(np.abs(off) - l1, 0.0)
        off = np.where(W != 0, off - l1 * np.sign(W), free)
        total = objective.shifted_slopes(eta, np.zeros(eta.shape[1]))[2]
        bend = curvature(eta, 0.0, objective, total)[:, None] / objective.mass + l2
        gain = 0.5 * float((off**2 / np.maximum(bend, 1e-300)).sum())
        return gain <= _NEAR * max(self.tol, _LEAST) * (self.null_value - value)

    def _improve(self, theta, value, eta, v, slack, pull):
        """Raise the bound from the slopes at the next points of a Newton method."""
        problem, objective = self.problem, self.problem.objective
        rows, here, old = objective.active(), value, self.model is not None
        banded = objective.loss.banded
        for trial in range(_MORE_STEPS if banded else _STEPS):
            known = self.bound
            grad = np.zeros_like(theta)
            objective.split(grad)[0][:] = problem.l2 * objective.split(theta)[0] - v
            bend = roomy(objective, eta, pull)
            try:
                # Second derivatives change little near the optimum: an old Hessian has one try.
                # Where rows enter and leave bands, each step asks for its own.
                if self.model is None or bend is not None or banded or (old and trial == 1):
                    self.model = Factored(problem, eta, rows, bend)
                step = self.model.step(problem, theta, grad)
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
            if trial >= _STEPS - 1 and not value - self.bound < 0.5 * (value - known):
                return

    def _make_room(self, theta, value, eta, v, slack):
        """Raise the bound by slopes that an l1 part need not scale by much."""
        objective = self.problem.objective
        most = min(_SOLVED * max(self.tol, _LEAST) * (self.null_value - value), self._left)
        if not solved_part(self.problem, theta, v, np.inf) <= most:
            return  # whatever the columns gain: second derivatives would read X
        bend = objective.split(objective.hessian_diagonal(eta))[0] / objective.mass
        left = solved_part(self.problem, theta, v, bend)
        if not left <= most:
            return
        self._left = _AFRESH * left
        # Rounds are compared with each other, not with what an earlier point has said.
        at, best, known, self.bound = eta, 0, self.bound, 0.0
        for trial in range(_ROOMS):
            last, at = self.bound, nearer(self.problem, at, v)
            if not np.isfinite(at).all():
                break
            v, _, _ = self._raise_bound(theta, value, eta, balanced(at, objective))
            best = trial if self.bound > last else best
            if self._figure(value, slack) <= self.tol or trial >= best + _IN_VAIN:
                break
        self.bound = max(self.bound, known)

    def _smooth(self, theta, value, eta):
        """Raise the bound by the optimum of a smoother loss, where next to no row is bent.

        ``Huber(delta)`` times ``epsilon / delta`` has slopes within those of
        ``Huber(epsilon)``, and they add up to what they must at the optimum of its own. Only
        rows nearer than ``delta`` widen the gap, each by ``epsilon delta / 4`` at most.
        """
        problem, loss = self.problem, self.problem.objective.loss
        if not isinstance(loss, Huber):
            return
        room = max(self.tol, _LEAST) * (self.null_value - value) * len(eta) / loss.epsilon
        delta = wider_band(problem.objective, eta, room)
        if loss.epsilon < delta < np.inf:
            share = loss.epsilon / delta
            self._solve(problem.with_loss(Huber(delta), problem.alpha / share), theta, share)

    def _solve(self, smooth, theta, share=1.0):
        """Raise the bound by the optimum of a problem whose slopes times ``share`` are this one's.

        Slopes that are nearly optimal will not do where l1 parts are tiny: sums of rows have to be
        within these, and slopes that are shrunk until they are say nothing.
        """
        problem, objective = self.problem, self.problem.objective
        if self._smoothings >= _SMOOTHINGS or block_size(objective) > FACTORED:
            return
        self._smoothings += 1
        point = optimum_of(smooth, theta)
        eta = objective.linear(point)
        pull = share * self._slopes_of(smooth.objective, eta)
        self._raise_bound(point, problem.value(point, objective.slopes(eta)[0]), eta, pull)

    def _along(self, pull, change):
        """Return weighted slopes moved by a change, within their bounds, adding up to zero."""
        objective = self.problem.objective
        s = objective.s[:, None]
        u = np.divide(pull, s, out=np.zeros_like(pull), where=s > 0) + change
        pull = s * objective.loss.project(targets(objective), u, np)
        if objective.fit_intercept:
            evened(pull)
        return pull

    # -- the gap --------------------------------------------------------------------

    def _raise_bound(self, theta, value, eta, pull=None, grad=None):
        """Take a gap at a point into ``bound``; return ``v``, size of rounding and slopes."""
        objective = self.problem.objective
        equal = size = moves = None
        by_shift = objective.loss.smooth and not isinstance(objective.loss, Softmax)
        if pull is None and by_shift and not self.problem.has_l1:
            enough = max(_EVEN, 1e-3 * self.tol)
            pull, equal, size, moves = at_equality(eta, objective, enough)
        if pull is None:
            pull = balanced(eta, objective)  # s u, which adds up to zero
        W = objective.split(theta)[0]
        size = np.abs(pull).sum(axis=0) if size is None else size
        if equal is not None:
            along = float(np.sqrt(np.vdot(pull, pull) * np.vdot(eta, eta)))
            if grad is not None and moves and objective.n_stored >= _WIDE * objective.n_rows:
                slack, known = self._slack(value, W, size, along), self.bound
                least, most = unread_gap(self.problem, theta, grad, pull, moves)
                self._raise_to(value - equal - least)
                hopeless = self._figure(value, slack) > self.tol
                self.bound = known
                self._raise_to(value - equal - most - slack)
                if hopeless or self._figure(value, slack) <= self.tol:
                    v = self.problem.l2 * W - objective.split(grad)[0]  # nearly
                    return v, slack, pull
        v = objective.split(objective.adjoint(pull))[0] / -objective.mass
        if equal is not None:
            gap = equal + float(penalty_gap(self.problem, W, v).sum())
        else:
            gap, along = gap_by_conjugates(self.problem, W, eta, v, pull)
        slack = self._slack(value, W, size, along)
        self._raise_to(value - gap - slack)
        return v, slack, pull

    def _raise_to(self, bound):
        if np.isfinite(bound):
            self.bound = max(self.bound, bound)

    def _slack(self, value, W, size, along):
        """Return the size of rounding: what is added up may be larger than what comes of it."""
        along += float(size @ np.abs(W).sum(axis=1))
        return _rounding(abs(value) + along / self.problem.objective.mass)
