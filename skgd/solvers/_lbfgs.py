"""Limited-memory BFGS, orthant-wise where there is an l1 part."""

import math

import numpy as np
from scipy.linalg.blas import daxpy
from scipy.linalg.blas import ddot as _dot

from .._protocols import State
from .._ranges import check_number
from ._base import Solver
from ._curvature import FACTORED, Diagonal, coupled, is_quadratic
from ._line_search import Arrival, MarginLine, refuse_rates, strong_wolfe
from ._orthant import crossing, steepest, within
from ._working_set import BY_DESCENT, BY_FACTORS, MANY_STEPS, restricted_step

__all__ = ["LBFGS"]

_EPS = np.finfo(float).eps
_REFRESH = 50  # steps after which margins are computed anew: moving them adds up rounding
_NOISE = 4e-15  # rounding of F, relative
# A point on a line costs far less than a direction, so that lines are searched well.
_SLOPE_LEFT = 0.1
_ENOUGH = 0.6  # the same of a first step that a whole pass has looked at already
_COUPLED = 0.5, 0.9  # both of classes that depend on each other, where a point costs more
_SMALL = 1e-6  # part of the margins below which their difference has too few digits
_FAR = 4.0  # times that first step
_LATE, _TRIES = 300, 100  # steps with an l1 part, after which so many go over most columns
_LOOK = 10  # steps between two looks at the diagonal of the Hessian
_FLAT = 10  # steps inside the rounding that bring nothing, after which the run has stalled


class LBFGS(Solver):
    r"""Quasi-Newton steps from the last few changes of the gradient.

    .. math::

        \theta_{t+1} = \theta_t - \gamma_t H_t \nabla F(\theta_t), \qquad
        H_t (g_{j+1} - g_j) = \theta_{j+1} - \theta_j \quad (j = t - 1)

    :math:`H_t` is never formed: two loops over the pairs of changes apply it [1]_, [2]_. The
    step :math:`\gamma_t` meets the strong Wolfe conditions [3]_, so F never rises beyond
    rounding.

    The matrix that the pairs correct is a multiple of the identity, or, where entries differ, one
    of the inverse of about the diagonal of the Hessian: the mean curvature of the losses times the
    mean squares of columns, looked at more and more seldom, at last every tenth step. Where the
    intercept hangs together with the columns, these are centred there by their means over the rows
    that have a curvature. For softmax on sparse rows of more than 1,500 columns it is the diagonal
    itself, from the tenth step on.

    With an l1 part the steps are orthant-wise [4]_: :math:`H_t` acts on the steepest slope
    of F in place of the gradient, with the rows and columns of the coefficients that are zero
    and stay zero left out, and a step that would carry coefficients through zero leaves them
    there. The pairs hold changes of the smooth part alone.

    On at least 128 columns with an l1 part a step goes first to the optimum over a working set
    [5]_, the columns that are not zero and those nearest to leaving zero, by `Newton` on a copy of
    these: 5 % of X or 2.5 million entries; sparse rows of no more are copied whole. Of dense rows,
    of softmax and of losses whose second derivative jumps, they are at most 1,500 coefficients, as
    long as there are not many more that would leave zero. Else they are at most nine tenths of the
    columns, and the models of `Newton` are lowered by coordinate descent with Anderson acceleration
    [6]_, or by second derivatives of what is not zero, where sweeps have taken as long as these
    would. From the 300th to the 400th iteration, where columns have been too many, a step is up to
    100 steps of its own on at most nine tenths of the columns.

    Parameters
    ----------
    memory : int, default=10
        Number of pairs that are kept, at least 1.
    max_iter : int or None, default=None
        Steps at most in `scipy.optimize.minimize`; None is 1000. Estimators
        have their own, and refuse a solver that was given one.

    Notes
    -----
    A step reads X once where its first length will do, which it does nearly always: value, gradient
    and margins come from one full pass. Else it reads X once more, for the gradient where a search
    has ended, whatever that tries: F along a line costs the losses of ``n_rows`` margins. A step
    without pairs and an orthant-wise one read X twice, once for the margins of the direction and
    once for the gradient. An orthant-wise step reads X once more where it begins without pairs and
    goes through zero. Means of columns over rows with a curvature read X once more, in three to
    seven of the first twenty steps and then ever more seldom, of squared errors once. Memory:
    ``2 * memory + 8`` vectors of length ``n_params``, with an l1 part as many again of the
    coefficients that move, and five arrays of shape ``(n_rows, n_outputs)``.

    The search chooses all step lengths: ``eta0``, ``learning_rate``, ``clip_norm`` and
    ``clip_value`` must be left at their defaults.

    References
    ----------
    .. [1] J. Nocedal (1980). "Updating quasi-Newton matrices with limited storage".
       Mathematics of Computation 35.
    .. [2] D. C. Liu, J. Nocedal (1989). "On the limited memory BFGS method for large scale
       optimization". Mathematical Programming 45.
    .. [3] W. W. Hager, H. Zhang (2005). "A new conjugate gradient method with guaranteed
       descent and an efficient line search". SIAM Journal on Optimization 16.
    .. [4] G. Andrew, J. Gao (2007). "Scalable training of L1-regularized log-linear models".
       ICML.
    .. [5] M. Massias, A. Gramfort, J. Salmon (2018). "Celer: a fast solver for the lasso with
       dual extrapolation". ICML.
    .. [6] Q. Bertrand, M. Massias (2021). "Anderson acceleration of coordinate descent".
       AISTATS.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import LBFGS
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=LBFGS(memory=5), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    needs = frozenset({"smooth_loss", "lazy"})

    def __init__(self, memory=10, max_iter=None):
        self.memory = memory
        self.max_iter = max_iter

    def check(self):
        """Raise where ``memory`` is not a positive integer."""
        check_number("memory", self.memory, low=1, integer=True)

    def with_settings(self, settings):
        """Return a copy that follows ``settings``, which may give no rate.

        Parameters
        ----------
        settings : Settings
            From the estimator.

        Returns
        -------
        LBFGS or Newton
            With the same ``memory``.

        Raises
        ------
        ValueError
            If a rate, a schedule or a bound on the gradient is given.
        """
        refuse_rates(type(self).__name__.lower(), settings)
        return super().with_settings(settings)

    def init(self, problem, theta, rng):
        """Return the state before the first step; reads X twice.

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
            Sets ``value`` and ``violation`` at the start, and in ``memory`` the margins
            ``eta``, the gradient ``grad`` of the smooth part, and ``pairs``.
        """
        state = State(theta.copy())
        state.point = state.theta
        state.memory.update(eta=None, grad=None, age=0, flat=0, least=np.inf)
        # A diagonal that reads X says too little of the first steps to be worth it.
        due = _LOOK if Diagonal.is_exact(problem.objective) else 1
        state.memory.update(diagonal=None, due=due, columns=np.inf, kept=self.memory)
        left = _COUPLED if coupled(problem.objective) else (_SLOPE_LEFT, _ENOUGH)
        state.memory["slope_left"], state.memory["enough"] = left
        self._forget(state.memory)
        self._look(problem, state)
        return state

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``; pairs are dropped, margins computed anew."""
        super().restart(state, theta, value)
        state.memory.update(eta=None, grad=None, flat=0, least=np.inf)
        self._forget(state.memory)
        if np.isfinite(value):
            state.memory.pop("stalled", None)

    def step(self, problem, state):
        """Do one step; value and violation are those of the point it reaches."""
        memory = state.memory
        state.t += 1
        state.passes += 1
        if memory["eta"] is None or memory["age"] >= _REFRESH:
            self._look(problem, state)
        if not np.isfinite(state.value):
            # No direction leads out of here; a better point may be known to the guard.
            memory["stalled"] = True
            return state
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            found = self._search(problem, state)
            if found is None and (memory["pairs"] or memory["age"]):
                # Pairs from far away, or margins that have drifted: again without either.
                self._forget(memory)
                self._look(problem, state)
                found = self._search(problem, state)
            if found is None:
                memory["stalled"] = True
            else:
                self._move(problem, state, found)
        return state

    def _look(self, problem, state):
        memory = state.memory
        state.value, memory["grad"], memory["eta"] = problem.look(state.theta)
        memory["age"] = 0
        state.violation = problem.violation(state.theta, memory["grad"])

    # -- pairs ----------------------------------------------------------------------

    @staticmethod
    def _forget(memory):
        memory.update(pairs=[], products=np.zeros((0, 0)))

    @staticmethod
    def _remember(memory, s, y, products):
        drop = max(0, len(memory["pairs"]) + 1 - memory["kept"])
        memory["pairs"] = pairs = [*memory["pairs"][drop:], (s, y)]
        if not products:
            return
        old = slice(0, len(pairs) - 1)
        table = np.zeros((len(pairs), len(pairs)))
        table[old, old] = memory["products"][drop:, drop:]
        table[-1] = [_dot(s, b) for _, b in pairs]
        memory["products"] = table

    # -- direction ------------------------------------------------------------------

    @staticmethod
    def _apply(pairs, grad, first=None):
        """Return ``-H grad``; ``first`` applies the matrix that the pairs correct."""
        out, shares = -grad, []
        for s, y in reversed(pairs):
            shares.append(_dot(s, out))
            out = daxpy(y, out, a=-shares[-1])
        if first is not None:
            out = first(out)
        elif pairs:
            y = pairs[-1][1]
            out /= _dot(y, y)
        for s, y in pairs:
            out = daxpy(s, out, a=shares.pop() - _dot(y, out))
        return out

    @staticmethod
    def _look_at_diagonal(problem, state):
        """Take the diagonal of the Hessian at this point, from time to time, where it is uneven."""
        memory, t = state.memory, state.t
        if t < memory["due"]:
            return
        memory["diagonal"] = found = memory["diagonal"] or Diagonal(problem)
        found.look(problem, memory["eta"], t)
        if found.exact:
            memory["due"] = t + (_LOOK if found.uneven else t)
        else:
            memory["due"] = t + min(max(t // 4, 1), _LOOK)
        if is_quadratic(problem.objective):
            memory["due"] = np.inf  # it is the same everywhere

    @staticmethod
    def _metric(memory):
        """Return the diagonal to begin from, None where the identity will do."""
        metric = memory["diagonal"]
        return metric if metric is not None and metric.uneven else None

    def _first_matrix(self, memory):
        metric, pairs = self._metric(memory), memory["pairs"]
        if metric is None or not pairs:
            return None
        if metric.exact:
            return metric.solve
        y = pairs[-1][1]  # along which a mean is made right, as the identity is
        size = _dot(y, metric.solve(y))
        return lambda grad: metric.solve(grad) / size

    def _direction(self, memory, theta, slope, side):
        pairs = memory["pairs"]
        if side is None or not pairs:
            return self._apply(pairs, slope, first=self._first_matrix(memory))
        try:
            step = within(pairs, memory["products"], self._metric(memory), theta, slope, side)
        except np.linalg.LinAlgError:
            step = slope
        if _dot(slope, step) < 0.0:
            return step
        y = pairs[-1][1]
        return slope / -_dot(y, y)

    # -- step length ----------------------------------------------------------------

    def _search(self, problem, state):
        """Return the `Arrival` of a step, None where none lowers F."""
        memory, theta = state.memory, state.theta
        slope, side = memory["grad"], None
        if problem.has_l1:
            found = self._on_columns(problem, state)
            if found is not None:
                return found
            slope, side = steepest(problem, theta, slope)
        if memory["pairs"] and not (problem.has_l1 and Diagonal.is_exact(problem.objective)):
            self._look_at_diagonal(problem, state)
        direction = self._direction(memory, theta, slope, side)
        if not direction.any():
            return None
        noise = _NOISE * abs(state.value)
        if side is None and memory["pairs"]:
            return self._whole(problem, state, direction, _dot(slope, direction), 1.0)
        line, first, most = self._line(problem, state, direction, side), 1.0, np.inf
        if not memory["pairs"]:
            first = self._first(problem.objective, line.moved)
        if side is not None:
            if not memory["pairs"]:
                first = self._best(
                    memory, line, _dot(slope, direction), state.value, first, noise, np.inf
                ).t
            zeros = crossing(theta, direction, side)
            most = float(zeros.min(initial=np.inf))
            if most < first:
                target = theta + first * direction
                target[zeros <= first] = 0.0
                direction = target - theta
                line, first, most = self._line(problem, state, direction, side), 1.0, 1.0
        found = self._best(memory, line, _dot(slope, direction), state.value, first, noise, most)
        if found.t == 0.0:
            return None
        if line.t != found.t:
            line(found.t)
        there = theta + found.t * direction
        if side is not None and found.t >= most:
            there[crossing(theta, direction, side) <= found.t * (1.0 + 4 * _EPS)] = 0.0
        return self._arrive(problem, line, found.t, there)

    def _on_columns(self, problem, state):
        """Return the `Arrival` at the optimum over the columns that matter, where they are few."""
        from ._by_column import OnColumns  # which, as Newton, is an LBFGS
        from ._newton import Newton

        noise, objective = _NOISE * abs(state.value), problem.objective
        # A column whose rows have no curvature, where this jumps, leads coordinates astray.
        descend = objective.sparse and not (coupled(objective) or objective.loss.jumps)
        inner, manner = (OnColumns(), BY_DESCENT) if descend else (Newton(), BY_FACTORS)
        found = restricted_step(
            lambda part, start: (inner, inner.init(part, start, None)),
            problem,
            state,
            noise,
            manner,
        )
        # Then the next step costs less than a better dual point.
        few = found is not None and state.memory["columns"] <= 2 * FACTORED
        state.memory["by_column"] = descend and few
        if found is not None or not _LATE <= state.t < _LATE + _TRIES:
            return found
        solver = LBFGS(self.memory)

        def begin(part, start):
            inner = solver.init(part, start, None)
            inner.memory["columns"] = 0
            return solver, inner

        return restricted_step(begin, problem, state, noise, MANY_STEPS)

    def _whole(self, problem, state, direction, slope, first):
        """Return the `Arrival` of a step whose first length is looked at by a full pass."""
        memory, theta, noise = state.memory, state.theta, _NOISE * abs(state.value)
        if not slope < 0.0:
            return None
        there = theta + first * direction
        value, grad, eta = problem.look(there)
        left = _dot(grad, direction)
        if (
            value <= state.value + 1e-4 * first * slope + noise
            and abs(left) <= memory["enough"] * -slope
        ):
            return Arrival(first, there, value, grad, eta, False)
        moved = eta - memory["eta"]
        size = np.abs(moved).max(initial=0.0)
        if np.isfinite(size) and size > _SMALL * np.abs(eta).max(initial=0.0):
            moved /= first
        else:
            moved = None
        line = MarginLine(problem, theta, memory["eta"], direction, moved=moved)
        known = {first: (value, left)}
        found = self._best(
            memory, lambda t: known.get(t) or line(t), slope, state.value, first, noise, np.inf
        )
        if found.t == 0.0:
            return None
        if found.t == first:
            return Arrival(first, there, value, grad, eta, False)
        there = theta + found.t * direction
        if found.t > _FAR * first:
            # Far beyond the point that their difference was taken at, margins lose digits.
            value, grad, eta = problem.look(there)
            better = value <= state.value + noise
            return Arrival(found.t, there, value, grad, eta, False) if better else None
        if line.t != found.t:
            line(found.t)
        return self._arrive(problem, line, found.t, there)

    def _arrive(self, problem, line, t, there):
        value = problem.value(there, line.loss_sum)
        return Arrival(t, there, value, problem.gradient_of(there, line.u), line.eta, True)

    @staticmethod
    def _first(objective, moved):
        """Return the step that moves margins by the unit of the loss, in the mean."""
        mean_square = float(objective.s @ (moved * moved).sum(axis=1)) / objective.mass
        unit = objective.loss.unit(objective.y, objective.s)
        return unit / math.sqrt(mean_square) if 0.0 < mean_square < math.inf else 1.0

    @staticmethod
    def _best(memory, line, slope, value, first, noise, most):
        left = memory["slope_left"]
        return strong_wolfe(line, slope, value, first, c2=left, noise=noise, most=most)

    @staticmethod
    def _line(problem, state, direction, side):
        l1_slope = 0.0
        if side is not None:
            split = problem.objective.split
            D, Z = split(direction)[0], split(side)[0]
            l1_slope = float((problem.l1 * (Z * D)).sum())
        return MarginLine(problem, state.theta, state.memory["eta"], direction, l1_slope)

    # -- move -----------------------------------------------------------------------

    def _move(self, problem, state, arrival):
        memory, there, grad, value = state.memory, arrival.theta, arrival.grad, arrival.value
        s, y = there - state.theta, grad - memory["grad"]
        # Scaled, so that the product of the two is one.
        curvature = _dot(s, y)
        if curvature > _EPS * _dot(y, y):
            size = np.sqrt(curvature)
            self._remember(memory, s / size, y / size, problem.has_l1)
        dropped = state.value - value > _NOISE * abs(value)
        state.theta = state.point = there
        state.value, state.rate = value, arrival.t
        state.violation = problem.violation(there, grad)
        memory["grad"], memory["eta"] = grad, arrival.eta
        memory["age"] = memory["age"] + 1 if arrival.moved else 0
        # Inside the rounding the gradient is what still tells good steps from others.
        better = state.violation < 0.9 * memory["least"]
        memory["least"] = min(memory["least"], state.violation)
        memory["flat"] = 0 if dropped or better else memory["flat"] + 1
        if memory["flat"] >= _FLAT or state.violation == 0.0:
            memory["stalled"] = True
