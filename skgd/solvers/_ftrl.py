"""Follow the regularised leader, proximal: exact zeros from a stream."""

import math
from types import SimpleNamespace

import numpy as np

from .. import _kernels
from .._kernels import _reference
from .._protocols import State
from .._ranges import check_number
from ._few_rows import Proximal
from ._given import BOUNDS, STEPS, given, refuse
from ._order import permuted
from ._pilot import pilot_rates
from ._row_by_row import RowByRow, run_block

__all__ = ["FTRL"]


class FTRL(RowByRow):
    r"""The point that would have been best for the slopes so far, near the points so far.

    .. math::

        w_t = \arg\min_w \; \sum_{s < t} g_s \cdot w
        + \sum_{s < t} \sum_j \frac{\sigma_{sj}}{2} (w_j - w_{sj})^2
        + \frac{\beta}{2 \gamma} \|w\|^2 + t \, \alpha R(w), \qquad
        \sum_{s \le t} \sigma_{sj} = \frac{1}{\gamma} \sqrt{\sum_{s \le t} g_{sj}^2}

    with :math:`g_s` the gradient of the loss of one row [1]_. Every coefficient is a function of
    two numbers, of the strength of the penalty and of t, so that a row costs its stored entries
    and nothing is late. The penalty counts once for each row, as it does in F: many passes lead
    to the optimum of F, and an l1 part gives exact zeros all along the way.

    Parameters
    ----------
    beta : float, default=1.0
        Damps the first steps: :math:`\beta` over the size of the slopes at the start. Positive.

    Notes
    -----
    Rates of coordinates fall with the root of their squared gradients, as those of `AdaGrad`.
    ``eta0`` is :math:`\gamma`; ``"auto"`` finds it by short runs on few rows. Schedules, batches,
    means of iterates and bounds on the gradient are refused. A row costs a few operations and
    two square roots for each stored entry. It holds five vectors of length ``n_params``.

    References
    ----------
    .. [1] H. B. McMahan et al. (2013). "Ad click prediction: a view from the trenches". KDD.
    .. [2] H. B. McMahan (2011). "Follow-the-regularized-leader and mirror descent: equivalence
       theorems and L1 regularization". AISTATS.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import FTRL
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=FTRL(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    needs = frozenset({"lazy"})
    rule = SimpleNamespace(adaptive=True)  # whose moves have about the size of the rate

    def __init__(self, beta=1.0):
        self.beta = beta

    def check(self):
        """Raise where ``beta`` is not positive."""
        check_number("beta", self.beta, low=0, closed="neither")

    def with_settings(self, settings):
        """Return a copy that follows ``settings``; of rates they may give ``eta0`` alone.

        Parameters
        ----------
        settings : Settings
            From the estimator.

        Returns
        -------
        FTRL
            With the same ``beta``.

        Raises
        ------
        ValueError
            If a schedule, a batch size, a mean of the iterates or a bound on the gradient is
            given.
        """
        refuse(
            "ftrl",
            "lets the rate of each coefficient fall by itself, a row at a time",
            given(settings, "learning_rate", *STEPS, *BOUNDS),
            "solver='adagrad', which takes it",
        )
        return super().with_settings(settings)

    # -- start ----------------------------------------------------------------------

    def init(self, problem, theta, rng):
        """Return the state before the first step.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        theta : ndarray of shape (n_params,)
            Start point; not modified.
        rng : numpy.random.RandomState
            Draws the order of rows, pass by pass.

        Returns
        -------
        State
            Sets in ``memory`` the sums ``z`` and ``square`` of every coefficient, the ``rate``
            as ``eta0``, and ``rng``.
        """
        state = self.blank(theta, math.nan, 1)
        state.memory["rng"] = np.random.default_rng(rng.randint(2**31 - 1))
        state.value = problem.value(theta)
        self.set_rate(problem, state)
        return state

    def blank(self, theta, eta0, batch_size, late=False):
        """Return a state at ``theta`` that has seen no row."""
        state = State(theta.copy())
        state.point = state.theta
        state.memory.update(
            z=np.zeros_like(theta),
            square=np.zeros_like(theta),
            steps=0,
            eta0=eta0,
            beta=None,
            known=None,  # rate, beta and scales that ``z`` belongs to
            **self.nothing_kept,
        )
        return state

    def set_rate(self, problem, state):
        """Set ``eta0`` in ``memory``: the user's, or one from the data."""
        memory = state.memory
        if not isinstance(self.settings.eta0, str):
            memory["eta0"] = float(self.settings.eta0)
        else:
            size = self.batch_size(problem)
            memory["eta0"] = pilot_rates(self, problem, state.theta, False, size)[0]
        memory["beta"] = self._damping(problem, state.theta)

    def _damping(self, problem, theta):
        objective = problem.objective
        with np.errstate(over="ignore", invalid="ignore"):
            slopes = objective.slopes(objective.linear(theta))[1]
            square = float((slopes * slopes).sum()) / max(objective.n_active * slopes.shape[1], 1)
            size = math.sqrt(square) * objective.n_active / objective.mass
        return self.beta * (size if 0.0 < size < math.inf else 1.0)

    # -- steps ----------------------------------------------------------------------

    def step(self, problem, state):
        """Do one pass over the rows; value is that of the point it reaches."""
        order = problem.objective.active()
        if self.settings.shuffle:
            order = permuted(state.memory["rng"], order)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            self.run_pass(problem, state, order)
        state.passes += 1
        state.point = state.theta
        self._look(problem, state)
        return state

    def run_pass(self, problem, state, order):
        """Move ``state.theta`` along the rows of ``order``."""
        memory, objective = state.memory, problem.objective
        rate = memory["eta0"] * state.rate_scale
        if memory["beta"] is None:
            memory["beta"] = self._damping(problem, state.theta)
        self.anchor(problem, state, rate)
        theta = state.theta.copy()
        arrays = theta, memory["z"], memory["square"]
        args = order, memory["steps"], *self.block_args(problem, memory, rate, arrays)
        run_block(objective, _kernels.ftrl_block, _reference.ftrl_block, args)
        state.theta = theta
        memory["steps"] += len(order)
        state.t += len(order)
        state.rate = rate

    @staticmethod
    def block_args(problem, memory, rate, arrays):
        """Return what a block of steps is given beside its rows and their number."""
        objective, d = problem.objective, problem.objective.n_features
        inv = np.ones(d) if objective.inv_scale is None else objective.inv_scale
        strengths = tuple(
            np.broadcast_to(part, d).astype(float) if there else None
            for part, there in ((problem.l1, problem.has_l1), (problem.l2, problem.has_l2))
        )
        (W, b), (Z, z0), (S, s0) = (objective.split(part) for part in arrays)
        args = rate, memory["beta"], W, b, Z, S, z0, s0, (inv, objective.shift), strengths
        return (*args, objective.n_active / objective.mass, objective.fit_intercept)

    def few_rows(self, problem, state):
        """Return what steps on the rows of small calls, as `Solver.few_rows` says."""
        return None if problem.objective.memory() is None else Proximal(self, problem, state)

    def anchor(self, problem, state, rate):
        """Let ``z`` lead to ``theta`` where rate or scales are others than those it is of."""
        memory, objective, theta = state.memory, problem.objective, state.theta
        inv = objective.inv_scale
        known, memory["known"] = memory["known"], (rate, memory["beta"], inv)
        same = known is not None and known[:2] == (rate, memory["beta"])
        if same and (inv is known[2] or np.array_equal(inv, known[2])):
            return
        (W, b), (Z, z0) = (objective.split(part) for part in (theta, memory["z"]))
        S, s0 = objective.split(memory["square"])
        if known is not None and inv is not None and known[2] is not None:
            ratio = inv / known[2]
            S *= ratio**2
            Z *= ratio
        t = memory["steps"]
        pull, decay = t * problem.l1, t * problem.l2
        strength = (memory["beta"] + np.sqrt(S)) / rate + decay
        # Where a coefficient is zero the pull outweighs what it has seen.
        Z[:] = np.where(W != 0.0, -W * strength - np.sign(W) * pull, np.clip(Z, -pull, pull))
        z0[:] = -b * (memory["beta"] + np.sqrt(s0)) / rate

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``, forgetting what led away from it."""
        super().restart(state, theta, value)
        memory = state.memory
        memory["z"], memory["square"] = np.zeros_like(theta), np.zeros_like(theta)
        memory.update(steps=0, known=None)
