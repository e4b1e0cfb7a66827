"""Losses with a kink by way of smooth ones that come ever nearer."""

import numpy as np

from .._protocols import State
from ._base import Solver
from ._curvature import FACTORED, block_size
from ._lbfgs import LBFGS
from ._line_search import refuse_rates
from ._newton import Newton

__all__ = ["Smoothing"]

_WIDEST = 4.0  # units of the loss: a band that holds nearly all rows
_NARROWER = 0.2  # factor of the width, when a smooth problem has served its purpose
_SERVED = 0.1  # share of what smoothing hides that a step lowers F by when it is time
_SOLVED = 1e-3  # of the violation with which a width began
_STEPS, _SMALL_STEPS = 50, 500  # with a width at most, of Newton and of L-BFGS
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

    Steps are those of `Newton` where at most 1,500 coefficients depend on each other, whose
    Hessian is that of the rows inside a band, or near one where so few lie inside that steps were
    too long; beyond, they are those of `LBFGS`. With a smooth loss there
    is nothing to smooth, and all steps are steps of F.

    Notes
    -----
    For ``hinge``, ``absolute_error``, ``quantile`` and ``epsilon_insensitive`` with a penalty of
    the elastic-net family or none. A step costs what one of `Newton` or `LBFGS` does, a narrower
    band one reading of X.

    The search chooses all step lengths: ``eta0``, ``learning_rate``, ``clip_norm`` and
    ``clip_value`` must be left at their defaults.

    References
    ----------
    .. [1] Y. Nesterov (2005). "Smooth minimization of non-smooth functions". Mathematical
       Programming 103.
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
            predictors ``eta`` of the point, ``inner``, the state of the solver of the smooth
            problem, and ``below``: its loss, and point, value and predictors there.
        """
        loss = problem.objective.loss
        state = State(theta.copy())
        state.point = state.theta
        objective, width = problem.objective, None
        if not loss.smooth:
            width = _WIDEST * float(loss.unit(objective.y, objective.s))
        state.memory.update(width=width, solver=self._steps_of(problem), reference=None)
        self._begin(problem, state, theta)
        return state

    @staticmethod
    def _steps_of(problem):
        return Newton() if block_size(problem.objective) <= FACTORED else LBFGS()

    def _begin(self, problem, state, theta):
        """Set up the smooth problem of the present width at ``theta``."""
        memory = state.memory
        memory["reach"] = 1.0
        memory["inner"] = memory["solver"].init(self._smooth(problem, memory), theta, None)
        memory["first"] = memory["inner"].violation
        if memory["reference"] is None:
            memory["reference"] = memory["first"]
        if memory["width"] is not None:
            memory["served"] = False
        self._show(problem, state)

    def _smooth(self, problem, memory):
        """Return the problem that steps are taken on, kept while it is the same."""
        key = memory["width"], memory["reach"]
        if key[0] is None:
            return problem
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] is not problem or kept[1] != key:
            loss = problem.objective.loss.smoothed(*key)
            self._kept = kept = problem, key, problem.with_loss(loss, problem.alpha)
        return kept[2]

    def _show(self, problem, state):
        """Take value and violation from the state of the smooth problem."""
        memory, inner = state.memory, state.memory["inner"]
        eta, value, smooth = inner.memory["eta"], inner.value, memory["width"] is None
        if eta is None:
            eta = problem.objective.linear(inner.theta)
        if smooth:
            memory.update(grad=inner.memory["grad"], model=inner.memory.get("model"))
        else:
            losses = problem.objective.shifted_slopes(eta, np.zeros(eta.shape[1]))[0]
            value = problem.value(inner.theta, losses)
            loss = problem.objective.loss.smoothed(memory["width"])
            memory["below"] = loss, inner.theta, inner.value, eta
        hidden = memory["hidden"] = max(value - inner.value, 0.0)
        # Small only where both the steps and the smoothing have little left to give.
        share = hidden / abs(value) if hidden > 0.0 else 0.0
        state.violation = inner.violation + memory["reference"] * share
        state.theta, state.rate = inner.theta, inner.rate
        # F of the loss itself may rise while F of the smooth one falls.
        if smooth or not value >= state.value:
            state.point, state.value, memory["eta"] = inner.theta, value, eta

    def step(self, problem, state):
        """Do one step; the value is that of the best point so far."""
        memory = state.memory
        state.t += 1
        state.passes += 1
        if memory.get("served"):
            memory["width"] *= _NARROWER
            self._begin(problem, state, memory["inner"].theta)
        before = memory["inner"].value
        memory["inner"] = inner = memory["solver"].step(
            self._smooth(problem, memory), memory["inner"]
        )
        self._show(problem, state)
        stalled = "stalled" in inner.memory
        if memory["width"] is None:
            if stalled:
                memory["stalled"] = True
            return state
        if stalled and self._widen(memory):
            # Without a row in a band there was no curvature to go by.
            del inner.memory["stalled"]
            return state
        most = _STEPS if isinstance(memory["solver"], Newton) else _SMALL_STEPS
        if stalled or inner.t >= most or self._solved(memory, before - inner.value):
            memory["served"] = True
            if memory["hidden"] <= _LEAST * abs(state.value):
                memory["stalled"] = True
        else:
            self._adapt(memory)
        return state

    @staticmethod
    def _solved(memory, fall):
        solved = memory["inner"].violation <= _SOLVED * memory["first"]
        return solved and fall <= _SERVED * memory["hidden"]

    def _adapt(self, memory):
        """Let rows near a band show a curvature too where steps turn out too long."""
        inner = memory["inner"]
        if inner.rate < _SHORT:
            self._widen(memory)
        elif inner.rate >= 1.0 and memory["reach"] > 1.0:
            memory["reach"], inner.memory["model"] = 0.5 * memory["reach"], None

    @staticmethod
    def _widen(memory):
        """Return whether rows from farther away may join a band from now on."""
        if memory["reach"] >= _FARTHEST or not isinstance(memory["solver"], Newton):
            return False
        memory["reach"], memory["inner"].memory["model"] = 4.0 * memory["reach"], None
        return True

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``; the smooth problem goes on from there."""
        super().restart(state, theta, value)
        memory = state.memory
        memory["solver"].restart(memory["inner"], theta, value)
        memory["eta"] = None
