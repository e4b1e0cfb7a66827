"""Newton steps on some sparse columns with an l1 part, by coordinate descent."""

import numpy as np
from scipy.linalg import LinAlgError

from .. import _kernels
from ._composite import lasso
from ._curvature import DAMPING, FACTORED
from ._lbfgs import LBFGS
from ._newton import Newton

__all__ = ["ByColumns", "Columns", "OnColumns"]

_LEFT = 0.2  # of the largest move of a first sweep: moves so small are the last
_LEFT_HELD = 0.1  # of its fall that a round on what is held may lower a model by, to be the last
_ROUNDS = 60  # of sweeps over all columns, each with up to six over what is not zero
_CRAWL = 20  # of them, after which what is not zero is factored whatever it costs
_FEW = 8  # of them, where too much is not zero to factor: more bring less than another model
_TRAIL = 6  # sweeps over what is not zero, from which their end is foreseen
_SHORTER = 0.1  # of the move of a sweep over all columns, at which one over these looks again
_SWEPT, _PAIRED, _CUBED = 2.0, 1.0, 0.1  # nanoseconds of an entry, of two that meet, of a factor
_ROUNDING = 1e-12


class Columns:
    """What coordinate descent reads of a problem at every point.

    Parameters
    ----------
    problem : Problem
        Of sparse columns, with an l1 part, in scaled variables or in the user's.
    """

    def __init__(self, problem):
        objective = problem.objective
        d, self.X = objective.n_features, objective.by_column()
        self.entries = self.X.indptr, self.X.indices, self.X.data
        self.l1, self.l2 = (
            np.ascontiguousarray(np.broadcast_to(part, d), dtype=float)
            for part in (problem.l1, problem.l2)
        )
        # The intercept is at its best whatever columns are centred by.
        shift = objective.shift
        self.shift = np.zeros(d) if shift is None else shift * objective.inv_scale


class ByColumns:
    r"""The second derivative of F at a point, through the entries of sparse columns.

    It is never formed. Its model with the l1 part is lowered one coefficient at a time, the
    intercept at its best at all times. Six sweeps tell where the next ones lead [1]_; where they
    have taken as long as it would take to form and factor the second derivative of the
    coefficients that are not zero, the minimum over these is found in that way, up to 1,500.

    Parameters
    ----------
    problem : Problem
        Of outputs that do not depend on each other.
    columns : Columns
        Its entries.
    eta : ndarray of shape (n_rows, n_outputs)
        Linear predictors at the point.

    Raises
    ------
    LinAlgError
        Where curvatures are not finite.

    References
    ----------
    .. [1] Q. Bertrand, M. Massias (2021). "Anderson acceleration of coordinate descent".
       AISTATS.
    """

    def __init__(self, problem, columns, eta):
        self.parts = [
            _Output(one, columns, np.ascontiguousarray(eta[:, j : j + 1]))
            for j, one in enumerate(problem.outputs())
        ]

    def minimum(self, problem, theta, grad):
        """Return about the minimum of the quadratic model and the l1 part."""
        out, split = theta.copy(), problem.objective.split
        (W, b), (G, g) = split(out), split(grad)
        for j, part in enumerate(self.parts):
            W[j], move = part.minimum(W[j], G[j], float(g[j]))
            b[j] += move
        return out


class _Output:
    """The model of one output; columns are scaled, not shifted."""

    def __init__(self, problem, columns, eta):
        objective = problem.objective
        self.problem, self.columns, self.eta = problem, columns, eta
        self.bent = objective.curvatures(eta)[:, 0] / objective.mass
        self.total = float(self.bent.sum()) if objective.fit_intercept else 0.0
        self.sums, diagonal = np.empty((2, objective.n_features))
        _kernels.column_sums(*columns.entries, self.bent, self.sums, diagonal)
        if self.total > 0.0:
            diagonal -= self.sums * self.sums / self.total
        diagonal = np.maximum(diagonal, 0.0) + columns.l2
        if not np.isfinite(diagonal).all():
            raise LinAlgError("Curvatures of columns are not finite.")
        damping = DAMPING * max(float(diagonal.mean()), 1e-300)
        self.l2, self.diagonal = columns.l2 + damping, diagonal + damping
        self.counts = np.diff(columns.entries[0])
        self.held = self.matrix = None

    def minimum(self, w, grad, g):
        """Return the coefficients, and by how much the intercept moves."""
        entries, x, slopes = self.columns.entries, w.copy(), np.zeros(len(self.bent))
        base, level = grad - self.l2 * w, 0.0
        if self.total > 0.0:
            base += g * self.columns.shift
            level = -g / self.total
        trail, fixed = np.empty((_TRAIL, len(x))), (base, self.sums, self.diagonal)
        fixed = *fixed, self.columns.l1, self.l2

        def sweeps(level, trail, everything, tol):
            return _kernels.descend_columns(
                *entries, self.bent, slopes, x, *fixed, level, self.total, trail, everything, tol
            )

        enough = spent = 0.0
        for trial in range(_ROUNDS):
            level, largest, _ = sweeps(level, trail[:1], True, 0.0)
            enough = enough or _LEFT * largest
            if largest <= enough:
                break
            level, _, done = sweeps(level, trail, False, _SHORTER * largest)
            spent += _SWEPT * (1 + done) * len(entries[2])
            if done < _TRAIL:
                continue
            held = np.flatnonzero((x != 0.0) | (w != 0.0))
            if len(held) >= FACTORED and trial >= _FEW:
                break
            if trial % _CRAWL == _CRAWL - 1 or spent > self._cost(held):
                spent, there = 0.0, self._minimum_of(held, x, slopes, base, level)
            else:
                there = _ahead(trail)
            if there is not None:
                level = self._move(x, there, slopes, base, level)
        step = float((x - w) @ self.columns.shift)
        return x, level + step if self.total > 0.0 else 0.0

    def _cost(self, held):
        """Return about what it takes to form and factor the second derivative of some columns."""
        if len(held) >= FACTORED:
            return np.inf
        stored = float(self.counts[held].sum())
        return _PAIRED * stored * stored / len(self.bent) + _CUBED * len(held) ** 3

    def _minimum_of(self, held, x, slopes, base, level):
        """Return about the minimum over some columns, the others as they are; None if too large."""
        if self.held is None or not np.array_equal(held, self.held):
            part = self.problem.columns(held)
            if part is None:
                return None
            objective = part.objective
            H = objective.hessian(self.eta, objective.active())[0, 0] / objective.mass
            H.flat[: -1 : len(H) + 1] += self.l2[held]
            if not self.total > 0.0:
                H[-1] = H[:, -1] = 0.0
                H[-1, -1] = 1.0
            self.held, self.matrix = held, H
        grad = base + level * self.sums + self.columns.X.T @ slopes + self.l2 * x
        start, l1 = np.append(x[held], 0.0), np.append(self.columns.l1[held], 0.0)
        found = lasso(self.matrix, start, np.append(grad[held], 0.0), l1, _LEFT_HELD)
        there = x.copy()
        there[held] = found[:-1]
        return there

    def _move(self, x, there, slopes, base, level):
        """Go there, in place, if the model is lower; return where the intercept is then."""
        step = there - x
        if not np.isfinite(step).all():
            return level
        moved, pull = self.columns.X @ step, float(self.sums @ step)
        change = self.bent * moved
        bend = float(change @ moved) + float(self.l2 @ (step * step))
        shift = -pull / self.total if self.total > 0.0 else 0.0
        slope = float((base + self.l2 * x) @ step) + level * pull + float(slopes @ moved)
        kinks = float(self.columns.l1 @ (np.abs(there) - np.abs(x)))
        if not slope + 0.5 * (bend + shift * pull) + kinks < 0.0:
            return level
        x[:] = there
        slopes += change
        return level + shift


def _ahead(trail):
    """Return the mixture of the last points whose moves add up to least, None without one."""
    moves = np.diff(trail, axis=0)
    products = moves @ moves.T
    products.flat[:: len(products) + 1] += _ROUNDING * np.trace(products)
    try:
        share = np.linalg.solve(products, np.ones(len(products)))
    except np.linalg.LinAlgError:
        return None
    return (share / share.sum()) @ trail[1:]


class OnColumns(Newton):
    """`Newton` on a working set of sparse columns, whose Hessian is not formed."""

    def init(self, problem, theta, rng):
        """Return the state before the first step, with a copy of the entries by column."""
        state = super().init(problem, theta, rng)
        state.memory["entries"] = Columns(problem)
        return state

    def _begin(self, problem, theta, rng):
        return LBFGS.init(self, problem, theta, rng)

    def _on_columns(self, problem, state):
        return None

    def _model(self, problem, state):
        memory = state.memory
        if memory["model"] is None:
            memory["since"] = 0
            memory["model"] = ByColumns(problem, memory["entries"], memory["eta"])
        return memory["model"]
