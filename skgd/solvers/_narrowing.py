"""Steps on smooth losses that come ever nearer to the one of a problem."""

import numpy as np
from scipy.linalg import LinAlgError

from .._dual import promised, slopes_gap, targets
from ._curvature import Factored, bent_rows
from ._lbfgs import LBFGS
from ._newton import Newton, kinked_part

__all__ = ["NARROWER", "Afresh", "AtOnce", "Narrowing", "RowsOrPairs"]

NARROWER = 0.2  # factor of the width of a band, when a smooth problem has served its purpose
_ROUNDER = 0.4  # the same where the smooth loss has no band
_SERVED = 0.1  # share of what smoothing hides that a step lowers F by when it is time
_SOLVED, _LOOSE = 1e-3, 0.1  # of the violation with which a width began; not the last one
_ASKED = 0.1  # the same, for asking how near the optimum is where no narrower band comes
_STEPS, _SMALL_STEPS = 50, 500  # with a width at most, of Newton and of L-BFGS
_NEWTON_TRIES = 40  # steps of Newton on a smooth loss itself
_MANY_BENT = 500  # rows with a curvature, of which few come and go: more tries instead
_SHORT = 0.25  # a step that asks for a Hessian of more rows
_SLOPE_LEFT, _ENOUGH = 0.5, 0.9  # of a search for a step, each of which has a Hessian of its own
_FARTHEST = 1024.0  # bands whose rows may join it
_FAR = 100.0  # times what smoothing hides, that a step of Newton may gain where a width begins
_NOTHING = 1e-8  # of F where a run began: F may come to zero
_ZERO = 1e-12  # of it: rows are fitted to rounding
_NARROWEST = 1e-14  # of the width that a run began with


class AtOnce(Newton):
    """Newton steps from the first on."""

    @staticmethod
    def _worth(problem, sample):
        return 0


class Afresh(AtOnce):
    """Newton steps, each with the Hessian at its beginning: few rows have a curvature."""

    def init(self, problem, theta, rng):
        state = super().init(problem, theta, rng)
        state.memory.update(slope_left=_SLOPE_LEFT, enough=_ENOUGH)
        return state

    def _model(self, problem, state):
        memory, objective = state.memory, problem.objective
        if memory["model"] is None:
            self._forget(memory)
            eta = memory["eta"]
            everything = objective.n_active == objective.n_rows
            active = slice(None) if everything else objective.active()
            bend = np.zeros_like(eta)
            bend[active] = objective.loss.hessian(targets(objective)[active], eta[active], np)
            rows = np.flatnonzero(bend[:, 0])
            memory["model"], memory["bent"] = Factored(problem, eta, rows, bend, len(rows)), rows
        return memory["model"]

    def newest(self, problem, state):
        """Return the Hessian at the point, which the next step begins with; None for none."""
        try:
            return self._model(problem, state)
        except LinAlgError:
            return None

    def step(self, problem, state):
        state = LBFGS.step(self, problem, state)
        state.memory["model"] = None
        return state


class RowsOrPairs(Newton):
    """Newton steps where few rows are near a kink, and L-BFGS steps where there are more."""

    def _search(self, problem, state):
        memory = state.memory
        if memory["model"] is None and bent_rows(problem, memory["eta"]) is None:
            return LBFGS._search(self, problem, state)
        return super()._search(problem, state)

    @staticmethod
    def _applied(problem, state):
        raise LinAlgError("Rows leave no digits.")  # steps go on without a Hessian


class Narrowing:
    """Steps on smooth losses, ever nearer to one with a kink, of one output."""

    def __init__(self, solver, width, at_end=False):
        self.solver, self.width, self.reach, self.least = solver, width, 1.0, 1.0
        self.at_end = at_end  # the loss itself is smooth, and this is it
        self.widest = 0.0
        self.value, self.point, self.eta, self.reference = np.nan, None, None, None
        self.served, self.hidden, self.below = False, 0.0, None
        self.top, self.size = None, 0.0  # F where the run began, and about what counts beside F
        # What slopes lose to those of the optimum, were the smooth problem solved; and whether it
        # is, as far as asked.
        self.spare, self.solved, self.last = np.inf, True, False
        self.lacks = np.inf  # of the gap, for want of a solution

    def begin(self, part, smooth, theta):
        """Go on from ``theta`` with a new smooth problem."""
        self.inner = self.solver.init(smooth, theta, None)
        self.first = self.inner.violation
        self.reference = self.first if self.reference is None else self.reference
        self.served = self.last = False
        self.widest = max(self.widest, self.width or 0.0)
        self.solved = part.objective.loss.smooth
        self._look(part, smooth)

    def try_itself(self, wide, most, short):
        """Begin with steps on the loss itself, which may be all that is needed."""
        self.later, self.width = (self.solver, self.width), 0.0
        self.solver = LBFGS() if wide else self.solver
        self.at_end, self.most, self.short = False, most, short

    def narrow(self, band):
        """Take the next width, at the end that of the band which the loss has."""
        if self.width > 0.0:
            # Where the next optimum is foreseen, or a loss is near everywhere.
            near = self.foresees or not self.below[0].banded
            self.width *= _ROUNDER if near else NARROWER
        else:
            solver, width = self.later
            # First L-BFGS and then Newton on the loss itself, then on smoother ones.
            self.width = width if type(self.solver) is type(solver) else 0.0
            self.solver = solver
        least = max(band, _NARROWEST * self.widest)
        self.width = max(self.width, least) if self.width > 0.0 else 0.0
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
        elif self.width:
            pull = smooth.objective.slopes(eta)[1]
            self.spare = slopes_gap(part.objective, losses, eta, pull)
            self.lacks = promised(smooth, inner.theta, inner.value, inner.memory["grad"], power=1)
            self.lower = value - self.spare - self.lacks
        # Small only where both the steps and the smoothing have little left to give.
        self.top = value if self.top is None else self.top
        self.size = max(abs(value), abs(inner.value), _NOTHING * abs(self.top))
        share = self.hidden / self.size if self.hidden > 0.0 else 0.0
        self.violation = inner.violation + self.reference * share
        if value <= _ZERO * self.top:
            self.violation = 0.0  # no loss is below zero
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
        few = isinstance(self.solver, Newton) and (self.foresees or not self.last)
        most = _STEPS if few else _SMALL_STEPS
        solved = inner.violation <= _SOLVED * self.first
        if self.at_end:
            self.served = stalled or inner.violation <= _ASKED * self.first
            return
        if part.objective.loss.smooth:
            little = before - inner.value <= _SERVED * self.hidden
            if not self.below[0].below:
                solved, little = True, self.lacks <= _SERVED * self.hidden
        else:
            ended = stalled or (self.last and inner.t >= most)
            self.solved = self.lacks <= self.spare or ended
            solved, little = self._little(part, smooth, before - inner.value)
            solved, little = (solved, little) if not self.last else (self.solved, True)
        if stalled or inner.t >= most or (solved and little):
            self.served = True
        elif inner.rate < _SHORT:
            self._widen()
        elif inner.rate >= 1.0 and self.reach > 1.0:
            if self.reach > self.least:
                self.reach, inner.memory["model"] = 0.5 * self.reach, None
            else:
                self.least = max(1.0, 0.8 * self.least)

    @property
    def ended(self):
        """Whether there is no narrower problem."""
        return bool(self.width) and self.width <= _NARROWEST * self.widest

    @property
    def foresees(self):
        """Whether optima of narrower problems are foreseen."""
        return isinstance(self.solver, Afresh)

    def _little(self, part, smooth, fall):
        """Return whether steps are as near to the optimum as a width asks that is not the last."""
        if self.foresees and not self.last:
            return True, self._near(smooth)
        return self.inner.violation <= _LOOSE * self.first, fall <= _SERVED * self.hidden

    def _near(self, smooth):
        """Return whether a step of Newton would gain little beside what smoothing hides."""
        return self._gain(smooth, np.inf) <= _SERVED * self.hidden

    def is_far(self, smooth):
        """Return whether the next point lies beyond what this width makes smooth."""
        return not self._gain(smooth, 0.0) <= _FAR * self.hidden

    def _gain(self, smooth, unknown):
        """Return what a whole step of Newton would lower F by, were it as the Hessian says."""
        model = self.solver.newest(smooth, self.inner)
        if model is None:
            return unknown
        theta, grad = self.inner.theta, self.inner.memory["grad"]
        if not smooth.has_l1:
            return 0.5 * float(grad @ model.solve(grad))
        there = model.minimum(smooth, theta, grad)
        step = there - theta
        fall = float(step @ (grad + 0.5 * model.apply(step)))
        return kinked_part(smooth, theta) - kinked_part(smooth, there) - fall

    def go_narrower(self, part, last, smooth):
        """Go on with a narrower problem, from where its optimum is likely to be."""
        theta, eta = self.inner.theta, self.inner.memory.get("eta")
        there = None if eta is None else self._ahead(part, last, smooth, eta)
        if there is not None:
            self.begin(part, smooth, there)
            if self.inner.value <= smooth.value(theta, smooth.objective.slopes(eta)[0]):
                self.served = self._near(smooth)
                return
        self.begin(part, smooth, theta)

    def _ahead(self, part, last, smooth, eta):
        """Return about the optimum of the next problem, None where nothing says so.

        The gradient at a point changes with the width; a step of the last Hessian undoes it.
        """
        objective = last.objective
        loss, memory, theta = objective.loss, self.inner.memory, self.inner.theta
        if not self.foresees:
            return None
        model = self.solver.newest(last, self.inner)
        if model is None:
            return None
        rows, turn = memory["bent"], np.zeros_like(eta)
        turn[rows] = loss.turn(targets(objective)[rows], eta[rows], np)
        turn[rows] *= objective.s[rows, None] * (smooth.objective.loss.width - loss.width)
        grad = memory["grad"] + objective.adjoint(turn) / objective.mass
        if part.has_l1:
            return model.minimum(last, theta, grad)
        return theta - model.solve(grad)

    def _widen(self):
        """Return whether rows from farther away may join a band from now on."""
        banded = self.width is not None and hasattr(self.below[0], "reach")
        if self.reach >= _FARTHEST or not (banded and isinstance(self.solver, Newton)):
            return False
        self.reach, self.inner.memory["model"] = 4.0 * self.reach, None
        return True
