"""The second derivative of F at a point, formed and factored."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ._composite import accelerated, lasso

__all__ = ["DAMPING", "FACTORED", "Diagonal", "Factored", "block_size", "formed_size"]

DAMPING = 1e-10  # of the mean of the diagonal: dependent columns are no reason to fail

FACTORED = 1500  # coefficients of a block up to which its Hessian is formed and factored
_ROOM = 8  # such blocks at most, where they are those of the classes of a softmax
_LEAST_SHARE = 1e-8  # of the largest curvature, that every other one is taken for


def block_size(objective):
    """Return how many coefficients depend on each other: an output's, for softmax all."""
    outputs = objective.n_outputs if objective.loss.joint else 1
    return outputs * (objective.n_features + 1)


def formed_size(objective):
    """Return the order of the blocks of a Hessian that are formed where they are few enough.

    A softmax of too many coefficients is taken class by class, as if these did not depend on
    each other.
    """
    size, own = block_size(objective), objective.n_features + 1
    few = own <= FACTORED and objective.n_outputs * own**2 <= _ROOM * FACTORED**2
    return own if size > FACTORED and few else size


class Factored:
    """Blocks of coefficients whose second derivative is at hand, and its factors."""

    def __init__(self, problem, eta, rows, bend=None):
        objective = problem.objective
        d, k = objective.n_features, objective.n_outputs
        own = formed_size(objective) < block_size(objective)
        found = objective.hessian(eta, rows, bend=bend, own=own)
        share = objective.n_active / (len(rows) * objective.mass)
        columns = np.arange(d)
        at = [np.append(j * d + columns, k * d + j) for j in range(k)]
        if len(found) == k:
            self.blocks = [(at[j], found[j, j] * share) for j in range(k)]
        else:
            whole = np.empty((k * (d + 1), k * (d + 1)))
            for (j, i), part in found.items():
                one, two = (slice(q * (d + 1), (q + 1) * (d + 1)) for q in (j, i))
                whole[one, two] = part * share
                whole[two, one] = part.T * share
            self._bar_shifts(whole, problem)
            self.blocks = [(np.concatenate(at), whole)]
        self._finish(problem)

    @staticmethod
    def _bar_shifts(whole, problem):
        """Let a shift of all classes alike cost something: softmax does not see it."""
        # Without this the solution drifts along it by rounding over damping.
        d, k = problem.objective.n_features, problem.objective.n_outputs
        penalised = problem.has_l1 or problem.has_l2
        spread = max(float(np.trace(whole)) / len(whole), 1e-300)
        for c in range(d if penalised else 0, d + 1):
            at = c + (d + 1) * np.arange(k)
            whole[np.ix_(at, at)] += spread / k

    def _finish(self, problem):
        objective = problem.objective
        l2 = np.zeros(objective.n_params)
        if problem.has_l2:
            objective.split(l2)[0][:] = problem.l2
        self.factors = []
        for at, block in self.blocks:
            spread = float(np.trace(block)) / len(at)
            block.flat[:: len(at) + 1] += l2[at] + DAMPING * max(spread, 1e-300)
            if not objective.fit_intercept:
                fixed = at >= objective.n_coef
                block[fixed] = 0.0
                block[:, fixed] = 0.0
                block[fixed, fixed] = 1.0
            self.factors.append(self._factor(block, spread))

    @staticmethod
    def _factor(block, spread):
        if not np.isfinite(block).all():
            raise LinAlgError("The Hessian of the sample is not finite.")
        damping = DAMPING * max(spread, 1e-300)
        for _ in range(12):
            try:
                return cho_factor(block, lower=True, check_finite=False)
            except LinAlgError:
                # Dependent columns, or slopes that are flat on all rows of the sample.
                damping *= 100.0
                block.flat[:: len(block) + 1] += damping
        raise LinAlgError("The Hessian of the sample is not positive definite.")

    def solve(self, grad):
        out = np.empty_like(grad)
        for (at, _), factor in zip(self.blocks, self.factors, strict=True):
            out[at] = cho_solve(factor, grad[at], check_finite=False)
        return out

    def apply(self, v):
        out = np.empty_like(v)
        for at, block in self.blocks:
            out[at] = block @ v[at]
        return out

    def minimum(self, problem, theta, grad):
        if problem.custom:
            return accelerated(self.apply, problem.prox, theta, grad)
        l1, out = np.zeros_like(theta), np.empty_like(theta)
        problem.objective.split(l1)[0][:] = problem.l1
        for at, block in self.blocks:
            out[at] = lasso(block, theta[at], grad[at], l1[at])
        return out


class Diagonal:
    """The second derivative of each coefficient by itself, as a matrix to begin from.

    Columns have one scale for all outputs and for the whole of a run. Where rows are fitted
    well, curvatures come to differ by powers of ten, and that is what is left of them.
    """

    def __init__(self, problem, eta):
        objective = problem.objective
        with np.errstate(over="ignore", invalid="ignore"):
            diagonal = objective.hessian_diagonal(eta) / objective.mass
            if problem.has_l2:
                objective.split(diagonal)[0][:] += problem.l2
        if not objective.fit_intercept:
            diagonal[objective.n_coef :] = 1.0  # multiplied by zero
        largest = float(diagonal.max(initial=0.0))
        self.known = 0.0 < largest < np.inf
        if self.known:
            self.inverse = 1.0 / np.maximum(diagonal, _LEAST_SHARE * largest)
            self.spread = float(self.inverse.max() / self.inverse.min())

    def solve(self, grad):
        return grad * self.inverse
