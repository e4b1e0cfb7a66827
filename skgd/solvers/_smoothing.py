"""Losses with a kink, or a curvature that jumps, by way of smooth ones that come ever nearer."""

import numpy as np
from scipy.linalg import LinAlgError

from .._dual import promised
from .._protocols import State
from ._base import Solver
from ._curvature import FACTORED, bent_rows, block_size, passable
from ._lbfgs import LBFGS
from ._line_search import refuse_rates
from ._newton import Newton

__all__ = ["Smoothing"]

_WIDEST = 4.0  # units of the loss: a band that holds nearly all rows
_ROUNDED = 0.3  # units of a smooth loss whose smoother one has no band
_NARROWER = 0.2  # factor of the width, when a smooth problem has served its purpose
_ROUNDER = 0.4  # the same where the smooth loss has no band
_WIDER = 5.0  # times the width that a run near this one ended with, to begin with
_SERVED = 0.1  # share of what smoothing hides that a step lowers F by when it is time
_SOLVED = 1e-3  # of the violation with which a width began
_ASKED = 0.1  # the same, for asking how near the optimum is where no narrower band comes
_STEPS, _SMALL_STEPS = 50, 500  # with a width at most, of Newton and of L-BFGS
_TRIES, _NEWTON_TRIES = 400, 40  # steps on a smooth loss itself, of L-BFGS and of Newton
_NET_TRIES = 25  # the same of L-BFGS with an elastic net
_MANY_BENT = 500  # rows with a curvature, of which few come and go: more tries instead
_SHORT_TRIES = 15, 4  # how many of these may be short: few columns and no l1 part, else
_SHORT = 0.25  # a step that asks for a Hessian of more rows
_FARTHEST = 1024.0  # bands whose rows may join it
_LEAST = 1e-14  # of F: what smoothing may hide without a difference


class Smoothing(Solver):
    r"""Newton or L-BFGS steps on smooth losses below the loss, ever nearer to it.

    .. math::

        \ell_\delta(y, \eta) = \max_u \; u \eta - \ell^*(y, u) - \frac{\delta}{2} u^2,
        \qquad \theta_{t+1} = \theta_t + \text{a step of } F_{\delta_t} \text{ at } \theta_t

    The smooth loss differs from the loss in bands about its kinks, of a width in proportion to
    :math:`\delta` [1]_. When a step lowers :math:`F_\delta` by less than a tenth of what smoothing
    hides, :math:`F - F_\delta`, the bands become narrower by a factor of 5 and the next problem
    begins where the last one ended. Slopes at the optimum of :math:`F_\delta` are slopes of the
    loss, or lie between two of them: they are a dual point whose gap goes to zero with
    :math:`\delta`.

    Outputs that do not depend on each other, several targets or one class against the rest, are
    problems of their own. Steps are those of `Newton` where at most 1,500 coefficients depend on
    each other, whose Hessian is that of the rows inside a band, or near one where so few lie inside
    that steps were too long; beyond, they are those of `LBFGS`, and with an l2 penalty those of
    `Newton` once at most 2,000 rows lie in a band. ``huber`` has a band of its own: those of the
    smooth losses narrow until they are that. ``squared_hinge`` is smooth, but rows come and go
    in its Hessian, which makes steps of `Newton` short: there it is the square of a softplus,

    .. math::

        \ell_\delta(y, \eta) = \left(\delta \log(1 + e^{(1 - y \eta) / \delta})\right)^2

    which lies above it, and whose slopes are a dual point as well. Where more than 1,500
    coefficients of one of these two depend on each other, up to 400 steps of `LBFGS` (of an elastic
    net 25) and 40 of `Newton` on the loss itself come first, with several outputs the latter alone;
    with an l1 part steps go on there where more than 500 rows have a curvature, of which those
    that come and go are few. With another smooth loss there is nothing to smooth, and all steps
    are steps of F.

    Notes
    -----
    For ``hinge``, ``absolute_error``, ``quantile``, ``epsilon_insensitive``, ``huber`` and
    ``squared_hinge`` with a penalty of the elastic-net family or none. A step costs what one of
    `Newton` or `LBFGS` does, a narrower band one reading of X.

    The search chooses all step lengths: ``eta0``, ``learning_rate``, ``clip_norm`` and
    ``clip_value`` must be left at their defaults.

    References
    ----------
    .. [1] Y. Nesterov (2005). "Smooth minimization of non-smooth functions". Mathematical
       Programming 103.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import Smoothing
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor("absolute_error", solver=Smoothing()).fit(X, y)
    >>> bool(est.optimality_ <= 1e-4)
    True
    """

    needs = frozenset({"smoothed_loss", "lazy"})

    def with_settings(self, settings):
        """Return a copy that follows ``settings``, which may give no rate.

        Parameters
        ----------
        settings : Settings
            From the estimator.

        Returns
        -------
        Smoothing
            One that follows them.

        Raises
        ------
        ValueError
            If a rate, a schedule or a bound on the gradient is given.
        """
        refuse_rates("smoothing", settings)
        return super().with_settings(settings)

    widths = None  # of the bands where a run near this one ended, one for each output

    def init(self, problem, theta, rng):
        """Return the state before the first step.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        theta : ndarray of shape (n_params,)
            Start point; not modified.
        rng : numpy.random.RandomState
            Not used: this solver draws nothing.

        Returns
        -------
        State
            Sets ``value`` and ``violation`` at the start, and in ``memory`` the linear
            predictors ``eta`` of the point, ``runs``, one for each output that depends on no
            other, and ``below``, for each its smooth loss, and point, value and predictors there;
            while steps are steps of F ``grad`` in place of that.
        """
        state = State(theta.copy())
        W, b = problem.objective.split(theta)
        parts = self._parts(problem)
        alone = len(parts) == 1
        state.memory["runs"] = [
            self._first(part, theta if alone else np.append(W[j], b[j]), j, alone)
            for j, part in enumerate(parts)
        ]
        self._show(problem, state)
        return state

    def _parts(self, problem):
        """Return a problem for each output, kept while the whole is the same."""
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] is not problem:
            plain = problem.objective.loss.smoothed(1.0) is None
            parts = [problem] if plain else problem.outputs()
            self._kept = kept = problem, parts, [None] * len(parts)
        return kept[1]

    def _first(self, part, theta, j, alone):
        objective, solver, width, known = part.objective, Newton(), None, 0.0
        loss, wide = objective.loss, block_size(objective) > FACTORED
        if loss.smoothed(1.0) is not None:
            width = self._widest(objective, theta)
            known = self.widths[j] if self.widths is not None else 0.0
            if known:
                width = min(width, _WIDER * known)
            width = max(width, loss.band)
        if wide and not passable(part):
            solver = LBFGS()
        elif wide:
            solver = _AtOnce() if loss.smooth else _ThroughRows()
        run = _Run(solver, width, width is not None and width <= loss.band)
        if loss.smooth and width is not None and not known and (wide or not alone):
            net = part.has_l1 and part.has_l2
            run.try_itself(wide, _NET_TRIES if net else _TRIES, _SHORT_TRIES[wide or part.has_l1])
        run.begin(part, self._smooth(part, run), theta)
        return run

    @staticmethod
    def _widest(objective, theta):
        """Return a width for where a run begins, which without an intercept may be far off."""
        loss = objective.loss
        unit = float(loss.unit(objective.y, objective.s))
        if loss.smooth and not loss.band:
            return _ROUNDED * unit
        steepest = loss.band or 1.0
        return _WIDEST * max(unit, objective.loss_sum(theta) / objective.mass / steepest)

    def _smooth(self, part, run):
        """Return the problem that a run takes steps on, kept while it is the same."""
        if not run.width:
            return part
        _, parts, smooth = self._kept
        j = next(i for i, one in enumerate(parts) if one is part)
        key = run.width, run.reach
        if smooth[j] is None or smooth[j][0] != key:
            smooth[j] = key, part.with_loss(part.objective.loss.smoothed(*key), part.alpha)
        return smooth[j][1]

    def _show(self, problem, state):
        """Take point, value and violation from the runs."""
        memory, runs = state.memory, state.memory["runs"]
        state.value = sum(run.value for run in runs)
        state.violation = max(run.violation for run in runs)
        state.rate = min(run.inner.rate for run in runs)
        if len(runs) == 1:
            state.point, memory["eta"] = runs[0].point, runs[0].eta
            state.theta = runs[0].inner.theta
        else:
            state.point, state.theta = np.empty_like(state.theta), np.empty_like(state.theta)
            for whole, parts in (
                (state.point, [run.point for run in runs]),
                (state.theta, [run.inner.theta for run in runs]),
            ):
                W, b = problem.objective.split(whole)
                W[:], b[:] = [part[:-1] for part in parts], [part[-1] for part in parts]
            memory["eta"] = np.hstack([run.eta for run in runs])
        if runs[0].width is None:
            inner = runs[0].inner.memory
            memory.update(grad=inner["grad"], model=inner.get("model"))
        else:
            memory["served"] = all(run.served for run in runs)
            self._tell(problem, memory)

    @staticmethod
    def _tell(problem, memory):
        """Say what the certificate goes by, and what tells when it is worth asking for."""
        runs, memory["grad"] = memory["runs"], None
        for key in ("below", "lower"):
            memory.pop(key, None)
        if all(run.width == 0.0 for run in runs):
            memory["grad"] = grad = problem.objective.zeros()
            G, g = problem.objective.split(grad)
            for j, run in enumerate(runs):
                G[j], g[j] = run.inner.memory["grad"][:-1], run.inner.memory["grad"][-1]
            return
        memory["below"] = [run.below for run in runs]
        if problem.objective.loss.smooth:
            memory["lower"] = sum(run.lower for run in runs)

    def step(self, problem, state):
        """Do one step; the value is that of the best point so far."""
        memory, runs = state.memory, state.memory["runs"]
        parts = self._parts(problem)
        state.t += 1
        state.passes += 1
        if all(run.served for run in runs):
            # Those that are far ahead of the others wait for them.
            most = max(run.hidden for run in runs)
            for part, run in zip(parts, runs, strict=True):
                if run.at_end:
                    run.go_on()
                elif run.width == 0.0 or run.hidden >= _NARROWER * most:
                    run.narrow(part.objective.loss.band)
                    run.begin(part, self._smooth(part, run), run.inner.theta)
        for part, run in zip(parts, runs, strict=True):
            if not run.served:
                run.advance(part, self._smooth(part, run))
        self._show(problem, state)
        if runs[0].width is None:
            if "stalled" in runs[0].inner.memory:
                memory["stalled"] = True
        elif memory["served"]:
            hidden = sum(run.hidden for run in runs)
            if hidden <= _LEAST * abs(state.value) and not any(run.moves for run in runs):
                memory["stalled"] = True
        return state

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``; the smooth problems go on from where they are."""
        super().restart(state, theta, value)
        state.memory["eta"] = None


class _AtOnce(Newton):
    """Newton steps from the first on."""

    @staticmethod
    def _worth(problem, sample):
        return 0


class _ThroughRows(Newton):
    """Newton steps where few rows lie in a band, and L-BFGS steps where there are more."""

    def _search(self, problem, state):
        memory = state.memory
        if memory["model"] is None and bent_rows(problem, memory["eta"]) is None:
            return LBFGS._search(self, problem, state)
        return super()._search(problem, state)

    @staticmethod
    def _applied(problem, state):
        raise LinAlgError("Rows leave no digits.")  # steps go on without a Hessian


class _Run:
    """Steps on smooth losses, ever nearer to one with a kink, of one output."""

    def __init__(self, solver, width, at_end):
        self.solver, self.width, self.reach, self.least = solver, width, 1.0, 1.0
        self.at_end = at_end  # the loss itself is smooth, and this is it
        self.value, self.point, self.eta, self.reference = np.nan, None, None, None
        self.served, self.hidden, self.below = False, 0.0, None

    def begin(self, part, smooth, theta):
        """Go on from ``theta`` with a new smooth problem."""
        self.inner = self.solver.init(smooth, theta, None)
        self.first = self.inner.violation
        self.reference = self.first if self.reference is None else self.reference
        self.served = False
        self._look(part, smooth)

    def try_itself(self, wide, most, short):
        """Begin with steps on the loss itself, which may be all that is needed."""
        self.later, self.width = (self.solver, self.width), 0.0
        self.solver = LBFGS() if wide else self.solver
        self.at_end, self.most, self.short = False, most, short

    def narrow(self, band):
        """Take the next width, at the end that of the band which the loss has."""
        if self.width > 0.0:
            self.width *= _NARROWER if self.below[0].below else _ROUNDER
        else:
            solver, width = self.later
            # First L-BFGS and then Newton on the loss itself, then on smoother ones.
            self.width = width if type(self.solver) is type(solver) else 0.0
            self.solver = solver
        self.width = max(self.width, band) if self.width > 0.0 else 0.0
        self.at_end = 0.0 < self.width <= band
        self.reach = self.least = 1.0

    def go_on(self):
        """Do more steps on the same problem, where there is no narrower one."""
        if self.moves:
            self.first, self.served = self.inner.violation, False

    @property
    def moves(self):
        """Whether steps on the loss itself still lower F."""
        return self.width == 0.0 or (self.at_end and "stalled" not in self.inner.memory)

    def _look(self, part, smooth):
        inner, value, eta = self.inner, self.inner.value, self.inner.memory["eta"]
        if eta is None:
            eta = part.objective.linear(inner.theta)
        if self.width is not None:
            loss = part.objective.loss
            if self.width:
                losses = part.objective.shifted_slopes(eta, np.zeros(eta.shape[1]))[0]
                value = part.value(inner.theta, losses)
                loss = loss.smoothed(self.width)
            self.below = loss, inner.theta, inner.value, eta
        self.hidden, self.lacks = abs(value - inner.value), np.inf
        if part.objective.loss.smooth:
            # Of a loss above it the gap is about that of the point, and half of what is hidden.
            self.lacks = promised(smooth, inner.theta, inner.value, inner.memory["grad"])
            self.lower = value - 0.5 * self.hidden - self.lacks
        # Small only where both the steps and the smoothing have little left to give.
        share = self.hidden / max(abs(value), abs(inner.value)) if self.hidden > 0.0 else 0.0
        self.violation = inner.violation + self.reference * share
        # F of the loss itself may rise while F of the smooth one falls.
        if self.width is None or not value >= self.value:
            self.point, self.value, self.eta = inner.theta, value, eta

    def advance(self, part, smooth):
        """Do one step of the solver, and see whether the smooth problem has served."""
        before = self.inner.value
        self.inner = inner = self.solver.step(smooth, self.inner)
        self._look(part, smooth)
        if self.width is None:
            return
        stalled = "stalled" in inner.memory
        if self.width == 0.0:
            # Short steps of Newton say that rows come and go.
            newton = isinstance(self.solver, Newton)
            self.short -= newton and inner.rate < _SHORT
            most = _NEWTON_TRIES if newton else self.most
            self.served = stalled or inner.t >= most or self.short <= 0
            if self.served and not (newton or stalled) and part.has_l1:
                # Of many rows only a few come and go.
                if np.count_nonzero(part.objective.curvatures(self.eta)) > _MANY_BENT:
                    self.served, self.most = False, np.inf
            return
        if stalled and self._widen():
            # Without a row in a band there was no curvature to go by; nor will there be soon.
            del inner.memory["stalled"]
            self.least = 0.5 * self.reach
            return
        most = _STEPS if isinstance(self.solver, Newton) else _SMALL_STEPS
        solved = inner.violation <= _SOLVED * self.first
        if self.at_end:
            self.served = stalled or inner.violation <= _ASKED * self.first
            return
        little = before - inner.value <= _SERVED * self.hidden
        if not self.below[0].below:
            solved, little = True, self.lacks <= _SERVED * self.hidden
        if stalled or inner.t >= most or (solved and little):
            self.served = True
        elif inner.rate < _SHORT:
            self._widen()
        elif inner.rate >= 1.0 and self.reach > 1.0:
            if self.reach > self.least:
                self.reach, inner.memory["model"] = 0.5 * self.reach, None
            else:
                self.least = max(1.0, 0.8 * self.least)

    def _widen(self):
        """Return whether rows from farther away may join a band from now on."""
        banded = self.width is not None and self.below[0].banded
        if self.reach >= _FARTHEST or not (banded and isinstance(self.solver, Newton)):
            return False
        self.reach, self.inner.memory["model"] = 4.0 * self.reach, None
        return True
