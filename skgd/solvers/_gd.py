"""Batch (proximal) gradient descent."""

import numpy as np

from .._protocols import State
from ._base import Solver
from ._textbook import clipped, first_rate, is_scheduled, scheduled_rate

__all__ = ["GD"]

_SUFFICIENT = 1e-4  # part of the predicted decrease that a step must bring
_HALVINGS = 60


class GD(Solver):
    r"""Gradient descent on all rows, with a prox for the part that is not smooth.

    .. math::

        \theta_{t+1} = \mathrm{prox}_{\gamma_t \alpha R}
                       \left(\theta_t - \gamma_t \nabla F(\theta_t)\right)

    With ``eta0`` and ``learning_rate`` left at ``"auto"`` the first rate is
    :math:`1 / L`, :math:`L` by power iteration. Later ones start from the length that the
    last two gradients suggest (Barzilai and Borwein [1]_, in the alternating form of [2]_)
    and are halved until F has decreased enough, so F never rises. With a rate or schedule
    given by the user the recurrence is followed as it stands.

    Parameters
    ----------
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`; None searches. Estimators take
        ``eta0`` and ``learning_rate`` themselves, and refuse a solver that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    A step costs one pass over the rows, one more for each halving, and holds four vectors
    of length ``n_params``. A loss with a kink has no :math:`L`: the step is then a
    subgradient step of length :math:`\gamma_0 / \sqrt{t}`, and the best point is kept.

    References
    ----------
    .. [1] J. Barzilai, J. M. Borwein (1988). "Two-point step size gradient methods".
       IMA Journal of Numerical Analysis 8.
    .. [2] B. Zhou, L. Gao, Y.-H. Dai (2006). "Gradient methods with adaptive step-sizes".
       Computational Optimization and Applications 35.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import GD
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=GD(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    def __init__(self, learning_rate=None, max_iter=None):
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def certifies(self, problem):
        """Whether the violation may stop the run: where the loss has no kink."""
        return problem.objective.loss.smooth

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
            Sets ``memory["rate"]`` and ``memory["grad"]``, and ``value`` and
            ``violation`` at the start.
        """
        state = State(theta.copy())
        state.point = state.theta
        state.value, grad = problem.value_grad(theta)
        state.violation = problem.violation(theta, grad)
        state.memory["grad"] = grad
        state.memory["mode"] = self._mode(problem)
        rate = first_rate(self.settings, lambda: self._smoothness(problem, theta, grad))
        state.memory["rate"] = rate
        return state

    def _mode(self, problem):
        if is_scheduled(self.settings):
            return "schedule"
        return "search" if problem.objective.loss.smooth else "subgradient"

    def _smoothness(self, problem, theta, grad):
        if problem.objective.loss.smooth:
            return problem.smoothness(theta)
        # A first step that moves the margins by about the unit of the loss.
        objective = problem.objective
        unit = objective.loss.unit(objective.y, objective.s)
        return max(np.linalg.norm(grad), 1e-300) / max(unit, 1e-300)

    def step(self, problem, state):
        """Do one step; value and violation are those of the point it reaches."""
        mode = state.memory["mode"]
        if mode == "search":
            self._search(problem, state)
        else:
            self._textbook(problem, state, mode)
        state.t += 1
        state.passes += 1
        return state

    def _textbook(self, problem, state, mode):
        memory = state.memory
        if mode == "subgradient":
            rate = memory["rate"] / np.sqrt(state.t + 1.0) * state.rate_scale
        else:
            rate = scheduled_rate(problem, state, self.settings)
        grad = clipped(self._gradient(problem, state), self.settings)
        with np.errstate(over="ignore", invalid="ignore"):
            theta = problem.prox(state.theta - rate * grad, rate)
        value, grad = problem.value_grad(theta)
        state.rate = rate
        state.theta, memory["grad"] = theta, grad
        if mode == "subgradient" and not value < state.value:
            return  # ``point`` stays the best one seen
        state.point, state.value = theta, value
        state.violation = problem.violation(theta, grad)

    def _search(self, problem, state):
        memory = state.memory
        theta, value, grad = state.theta, state.value, self._gradient(problem, state)
        move = clipped(grad, self.settings)
        rate = memory["rate"] * state.rate_scale
        # Differences of F below this are rounding, and must not look like a rise.
        noise = 4e-15 * max(abs(value), 1e-300)
        for _ in range(_HALVINGS):
            there = problem.prox(theta - rate * move, rate)
            step = there - theta
            square = float(step @ step)
            if square == 0.0:
                break
            new_value, new_grad = problem.value_grad(there)
            if new_value <= value - _SUFFICIENT / rate * square + noise:
                break
            rate *= 0.5 if np.isfinite(new_value) else 0.01
        else:
            square = 0.0
        state.rate = rate
        if square == 0.0 or new_value > value:
            # No point below this one can be told apart from it in floating point.
            memory["stalled"] = True
            return
        memory["rate"] = self._next_rate(rate, step, square, new_grad - grad, memory)
        state.theta = state.point = there
        state.value, memory["grad"] = new_value, new_grad
        state.violation = problem.violation(there, new_grad)

    @staticmethod
    def _next_rate(rate, step, square, change, memory):
        along, size = float(step @ change), float(change @ change)
        if not (along > 0 and size > 0):
            return 2.0 * rate  # F is flat along this step
        long, short = square / along, along / size
        # Short steps while they differ much from the long ones: they damp the stiff
        # directions, after which a long one serves all the others.
        recent = memory.setdefault("short", [])
        recent.append(short)
        del recent[:-5]
        return min(recent) if short < 0.8 * long else long

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``; the gradient there is computed anew."""
        super().restart(state, theta, value)
        state.memory["grad"] = None

    @staticmethod
    def _gradient(problem, state):
        if state.memory["grad"] is None:
            state.memory["grad"] = problem.value_grad(state.theta)[1]
        return state.memory["grad"]
