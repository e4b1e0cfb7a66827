"""Accelerated (proximal) gradient descent on all rows, with adaptive restart."""

import math

import numpy as np

from .._protocols import State
from ._base import Solver
from ._textbook import clipped, first_rate, is_scheduled, scheduled_rate

__all__ = ["AGD"]

_VANISHING = 1e-10  # of a rate, with which no penalty but a constraint does anything
_SUFFICIENT = 1e-4  # part of the predicted decrease that a step must bring
_HALVINGS = 60


class AGD(Solver):
    r"""Gradient descent on all rows that goes on in the direction of its last move.

    .. math::

        x_{t+1} &= \mathrm{prox}_{\gamma_t \alpha R}
                   \left(y_t - \gamma_t \nabla F(y_t)\right) \\
        w_{t+1} &= \frac{1}{2} \left(1 + \sqrt{1 + 4 w_t^2 \gamma_t / \gamma_{t+1}}\right)
                   \qquad w_0 = 1 \\
        y_{t+1} &= x_{t+1} + \frac{w_t - 1}{w_{t+1}} \left(x_{t+1} - x_t\right)

    This is Nesterov's method [1]_ in the form of [2]_, with rates that may grow [3]_. With
    ``eta0`` and ``learning_rate`` left at ``"auto"`` the first rate is :math:`1 / L`,
    :math:`L` by power iteration; a rate grows by the factor :math:`1 + 1 / w_t` at most, and
    is held to what any two gradients in a row allow [5]_:

    .. math::

        \gamma_{t+1} \le \frac{\langle y_{t+1} - y_t, g \rangle}{\|g\|^2} , \qquad
        g = \nabla F(y_{t+1}) - \nabla F(y_t) .

    The weight goes back to 1, and the momentum with it, when the move turns against the
    gradient [4]_ or would raise F: strong convexity is thus made use of without being known.
    The model is that of :math:`y_t`, where F and its gradient are known, so F never rises.

    With a rate or schedule given by the user the recurrence is followed as it stands, with
    :math:`\gamma_t / \gamma_{t+1}` replaced by 1 and without restarts, and the model is that
    of :math:`x_t`.

    Parameters
    ----------
    learning_rate : float, Schedule, callable or None, default=None
        Rate, or schedule, in `scipy.optimize.minimize`; None searches. Estimators take
        ``eta0`` and ``learning_rate`` themselves, and refuse a solver that was given one.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`, likewise; None is 1000.

    Notes
    -----
    A step costs one pass over the rows: the value and the gradient at :math:`y_{t+1}`. It
    costs a second one where the momentum would have raised F, and one more for each time that
    the plain step taken instead has to be halved. With a rate of the user's a step costs two
    passes, one at :math:`x_t` and one at :math:`y_t`, but the first, where they are one point.
    Three vectors of length ``n_params`` are kept from step to step. A loss with a kink is refused.

    References
    ----------
    .. [1] Y. Nesterov (1983). "A method of solving a convex programming problem with
       convergence rate O(1/k^2)". Soviet Mathematics Doklady 27.
    .. [2] A. Beck, M. Teboulle (2009). "A fast iterative shrinkage-thresholding algorithm
       for linear inverse problems". SIAM Journal on Imaging Sciences 2.
    .. [3] K. Scheinberg, D. Goldfarb, X. Bai (2014). "Fast first-order methods for composite
       convex optimization with backtracking". Foundations of Computational Mathematics 14.
    .. [4] B. O'Donoghue, E. Candes (2015). "Adaptive restart for accelerated gradient
       schemes". Foundations of Computational Mathematics 15.
    .. [5] T. Li, G. Lan (2023). "A simple uniformly optimal method without line search for
       convex optimization". arXiv:2310.10082.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import AGD
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=AGD(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    needs = frozenset({"smooth_loss"})

    def __init__(self, learning_rate=None, max_iter=None):
        self.learning_rate = learning_rate
        self.max_iter = max_iter

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
            Sets ``memory["rate"]``, ``["longest"]`` (the rate that the last two gradients
            allow), ``["grad"]`` (at ``theta``), ``["last"]`` (:math:`x_t`), ``["weight"]``,
            and ``value`` and ``violation`` at the start.
        """
        state = State(theta.copy())
        value, grad = problem.value_grad(theta)
        self.restart(state, theta, value)
        state.violation = problem.violation(theta, grad)
        rate = first_rate(self.settings, lambda: problem.smoothness(theta))
        state.memory.update(grad=grad, rate=rate, longest=np.inf)
        return state

    def step(self, problem, state):
        """Do one step; value and violation are those of the point it reaches."""
        if is_scheduled(self.settings):
            self._textbook(problem, state)
        else:
            self._search(problem, state)
        state.t += 1
        state.passes += 1
        return state

    def _textbook(self, problem, state):
        memory = state.memory
        rate = scheduled_rate(problem, state, self.settings)
        move = clipped(self._gradient(problem, state), self.settings)
        weight = memory["weight"]
        higher = _next_weight(weight, 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            point = problem.prox(state.theta - rate * move, rate)
            theta = point + (weight - 1.0) / higher * (point - memory["last"])
        value, grad = problem.value_grad(point)
        # Without momentum both points are one, and what is known at one serves the other.
        memory.update(grad=grad if weight == 1.0 else None, last=point, weight=higher)
        state.rate = rate
        state.theta, state.point, state.value = theta, point, value
        state.violation = problem.violation(point, grad)

    def _search(self, problem, state):
        memory = state.memory
        # F never rises here, so no guard ever asks for a smaller rate.
        here, rate = state.theta, memory["rate"]
        grad = self._gradient(problem, state)
        move = clipped(grad, self.settings)
        forward = problem.prox(here - rate * move, rate)
        # The next rate is planned before the momentum that rests on it: if it turns out
        # smaller, the weight is still one that the bound on F allows; not if it is larger.
        planned = max(rate, min(memory["longest"], rate * (1.0 + 1.0 / memory["weight"])))
        found = self._ahead(problem, state, forward, planned)
        if found is None:
            memory["weight"] = 1.0
            found = self._plain(problem, state, move, forward)
            if found is None:
                # No point below this one can be told apart from it in floating point.
                memory["stalled"] = True
                return
            rate, forward = found[3:]
            planned = 2.0 * rate
        there, new_value, new_grad = found[:3]
        longest = _longest(there - here, new_grad - grad)
        memory["weight"] = _next_weight(memory["weight"], rate / planned)
        memory.update(rate=min(planned, longest), longest=longest, grad=new_grad, last=forward)
        state.rate = rate
        state.theta = state.point = there
        state.value = new_value
        state.violation = problem.violation(there, new_grad)

    @staticmethod
    def _ahead(problem, state, forward, planned):
        """Return the point with momentum, its value and gradient, or None to do without."""
        memory, rate = state.memory, state.memory["rate"]
        weight, step, trend = memory["weight"], forward - state.theta, forward - memory["last"]
        if weight == 1.0 or not float(step @ trend) >= 0.0:
            return None
        beta = (weight - 1.0) / _next_weight(weight, rate / planned)
        there = forward + beta * trend
        if problem.custom:
            # A constraint takes it back, whatever the step; all else stays as it is.
            there = problem.prox(there, _VANISHING * rate)
        value, grad = problem.value_grad(there)
        if value <= state.value - _SUFFICIENT / rate * float(step @ step):
            return there, value, grad
        return None

    @staticmethod
    def _plain(problem, state, move, forward):
        """Return a point without momentum that F does not rise to, or None.

        Its value and gradient follow, the rate that led there, and the point again.
        """
        here, value, rate = state.theta, state.value, state.memory["rate"]
        # Differences of F below this are rounding, and must not look like a rise.
        noise = 4e-15 * max(abs(value), 1e-300)
        for _ in range(_HALVINGS):
            step = forward - here
            square = float(step @ step)
            if square == 0.0:
                return None
            new_value, grad = problem.value_grad(forward)
            if new_value <= value - _SUFFICIENT / rate * square + noise:
                return None if new_value > value else (forward, new_value, grad, rate, forward)
            rate *= 0.5 if np.isfinite(new_value) else 0.01
            forward = problem.prox(here - rate * move, rate)
        return None

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``, without momentum; the gradient there comes anew."""
        super().restart(state, theta, value)
        state.memory.update(grad=None, last=state.theta, weight=1.0)

    @staticmethod
    def _gradient(problem, state):
        if state.memory["grad"] is None:
            state.memory["grad"] = problem.value_grad(state.theta)[1]
        return state.memory["grad"]


def _next_weight(weight, ratio):
    return (1.0 + math.sqrt(1.0 + 4.0 * ratio * weight * weight)) / 2.0


def _longest(gone, change):
    """Return the rate that two gradients allow; infinite where they say nothing."""
    along, size = float(gone @ change), float(change @ change)
    return along / size if along > 0 and size > 0 else np.inf
