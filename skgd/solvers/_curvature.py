"""The second derivative of F at a point, formed and factored."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ._composite import accelerated, lasso

__all__ = [
    "DAMPING",
    "FACTORED",
    "ROWS",
    "Diagonal",
    "Factored",
    "ThroughRows",
    "bent_rows",
    "block_size",
    "centred_solve",
    "copyable",
    "coupled",
    "formed_size",
    "is_quadratic",
    "mean_bent",
    "passable",
]

DAMPING = 1e-10  # of the mean of the diagonal: dependent columns are no reason to fail

FACTORED = 1500  # coefficients of a block up to which its Hessian is formed and factored
ROWS = 2000  # with a curvature, whose products with each other are formed and factored
_LEAST_COPY = 2**23  # entries of rows that may always be copied, beyond these 5 % of X
_LEFT = 1e-3  # of what is solved for that a solution may leave
_NEAR = 1e-2  # part of its fall that a round may lower a model with an l1 part by, to be the last
_ROOM = 8  # such blocks at most, where they are those of the classes of a softmax
_UNEVEN = 4.0  # ratio of the entries of a diagonal from which it is worth taking
_CENTRED = 1.0  # times its curvature that columns take from an intercept, to be centred
_AGAIN, _SELDOM = 1.3, 2.0  # times the steps, until means are looked at again: centred, and not
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


def coupled(objective):
    """Return whether the curvature of one output depends on the others, as of softmax."""
    return objective.n_outputs > 1 and objective.loss.joint


def is_quadratic(objective):
    """Return whether F but for an l1 part is a quadratic: second derivatives are one matrix."""
    return objective.loss.name == "squared_error"


def passable(problem):
    """Return whether a Hessian may be had through the rows: l2 on all, outputs by themselves."""
    if problem.has_l1 or problem.custom or not (problem.has_l2 and np.min(problem.l2) > 0.0):
        return False
    return not coupled(problem.objective)


def copyable(objective, rows):
    """Return whether so many rows may be copied: all of them need not be."""
    room = max(_LEAST_COPY, objective.n_stored // 20)
    return rows == objective.n_rows or rows * objective.n_stored <= room * objective.n_rows


def bent_rows(problem, eta):
    """Return weighted second derivatives of the losses, None where too many rows have one."""
    if not passable(problem):
        return None
    objective = problem.objective
    bent = objective.curvatures(eta)
    rows = int((bent > 0.0).sum(axis=0).max(initial=0))
    return bent if rows <= ROWS and copyable(objective, rows) else None


class ThroughRows:
    r"""The second derivative of F where few rows have a curvature, and its inverse.

    With :math:`Z` the rows that do, :math:`D` their curvatures over the mass, and
    :math:`\Lambda` the l2 part,

    .. math::

        (\Lambda + Z^T D Z)^{-1} = \Lambda^{-1}
            - \Lambda^{-1} Z^T (D^{-1} + Z \Lambda^{-1} Z^T)^{-1} Z \Lambda^{-1}

    so a matrix of the order of the rows is factored, not one of the columns. Pickled without
    rows, which `attach` gives back.

    Parameters
    ----------
    problem : Problem
        With an l2 part on all coefficients and no other.
    bent : ndarray of shape (n_rows, n_outputs)
        Weighted second derivatives of the losses.
    grad : ndarray of shape (n_params,)
        What it is to solve for.

    Raises
    ------
    LinAlgError
        Where rows are so large beside the l2 part that no digits are left.
    """

    def __init__(self, problem, bent, grad):
        self.problem = problem
        self.parts = [
            _OneThroughRows(part, np.ascontiguousarray(bent[:, j]))
            for j, part in enumerate(problem.outputs())
        ]
        G = problem.objective.split(grad)[0]
        if not all(part.has_digits(row) for part, row in zip(self.parts, G, strict=True)):
            raise LinAlgError("Products of rows leave no digits of a solution.")

    def __getstate__(self):
        return {"problem": None, "parts": self.parts}

    def attach(self, problem):
        """Give the rows to one that was pickled without."""
        if self.problem is None:
            self.problem = problem
            for part, one in zip(self.parts, problem.outputs(), strict=True):
                part.attach(one.objective)

    def solve(self, grad):
        out, split = np.zeros_like(grad), self.problem.objective.split
        (G, g), (W, b) = split(grad), split(out)
        for j, part in enumerate(self.parts):
            W[j], b[j] = part.solve(G[j], g[j])
        return out


class _OneThroughRows:
    def __init__(self, problem, bent):
        objective = problem.objective
        self.l2 = np.broadcast_to(problem.l2, objective.n_features)
        self.numbers, self.free = np.flatnonzero(bent > 0.0), objective.fit_intercept
        if not len(self.numbers):
            return
        self.attach(objective)
        self.bent = bent[self.numbers] / objective.mass
        matrix = self.rows.row_products(1.0 / self.l2)
        matrix.flat[:: len(matrix) + 1] += 1.0 / self.bent
        if not np.isfinite(matrix).all():
            raise LinAlgError("Products of rows are not finite.")
        self.factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        if self.free:
            pull, total = self._adjoint(self.bent)
            self.along = self._inner(pull)
            rest = total - float(pull @ self.along)
            self.rest = max(rest, DAMPING * total)  # without l2 the intercept may be a column

    def __getstate__(self):
        return {key: value for key, value in vars(self).items() if key != "rows"}

    def attach(self, objective):
        if len(self.numbers):
            self.rows = objective.of_rows(self.numbers)

    def _linear(self, w):
        return self.rows.linear(np.append(w, 0.0))[:, 0]

    def _adjoint(self, u):
        found = self.rows.adjoint(u[:, None])
        return found[:-1], float(found[-1])

    def _left(self, r, x):
        return r - self.l2 * x - self._adjoint(self.bent * self._linear(x))[0]

    def has_digits(self, r):
        """Return whether a solution for ``r`` is one, in the metric of the penalty."""
        if not len(self.numbers):
            return True
        left = self._left(r, self._inner(r))
        return bool((left * left / self.l2).sum() <= _LEFT**2 * (r * r / self.l2).sum())

    def _inner(self, r):
        """Solve with the Hessian of the coefficients, once more for what is left."""
        x = self._once(r)
        return x + self._once(self._left(r, x))

    def _once(self, r):
        x = r / self.l2
        u = cho_solve(self.factor, self._linear(x), check_finite=False)
        return x - self._adjoint(u)[0] / self.l2

    def solve(self, r, c):
        if not len(self.numbers):
            return r / self.l2, 0.0
        if not self.free:
            return self._inner(r), 0.0
        b = (c - float(self.along @ r)) / self.rest
        return self._inner(r) - b * self.along, b


class Factored:
    """Blocks of coefficients whose second derivative is at hand, and its factors."""

    def __init__(self, problem, eta, rows, bend=None, held=None):
        objective = problem.objective
        held = objective.n_active if held is None else held  # how many rows these stand for
        d, k = objective.n_features, objective.n_outputs
        own = formed_size(objective) < block_size(objective)
        found = objective.hessian(eta, rows, bend=bend, own=own)
        share = held / (max(len(rows), 1) * objective.mass)
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

    def step(self, problem, theta, grad):
        """Return the whole way to the minimum of the model."""
        if problem.has_l1:
            return self.minimum(problem, theta, grad, left=0.0) - theta
        return -self.solve(grad)

    def minimum(self, problem, theta, grad, left=_NEAR):
        if problem.custom:
            return accelerated(self.apply, problem.prox, theta, grad)
        l1, out = np.zeros_like(theta), np.empty_like(theta)
        problem.objective.split(l1)[0][:] = problem.l1
        for at, block in self.blocks:
            out[at] = lasso(block, theta[at], grad[at], l1[at], left)
        return out


def mean_bent(objective, bent):
    """Return the means of the columns over rows weighted by their curvature, one adjoint."""
    total = np.ones(len(bent)) @ bent  # `sum` is slow where outputs are few
    return objective.split(objective.adjoint(bent))[0] / np.maximum(total, 1e-300)[:, None]


def centred_solve(inverse, mean, grad):
    r"""Solve with the diagonal of a problem whose columns are centred, in those that are not.

    .. math::

        w = D^{-1} (G - g \mu), \qquad b = g / \bar h - \mu^T w

    Parameters
    ----------
    inverse : ndarray of shape (n_params,)
        Of the diagonal: :math:`1 / D` and :math:`1 / \bar h`.
    mean : ndarray of shape (n_outputs, n_features) or None
        What columns are centred by; None for nothing.
    grad : ndarray of shape (n_params,)
        The right side.

    Returns
    -------
    ndarray of shape (n_params,)
        A new array.
    """
    if mean is None:
        return grad * inverse
    out, at = grad.copy(), mean.size
    W, b = out[:at].reshape(mean.shape), out[at:]
    W -= mean * b[:, None]
    out *= inverse
    b -= (mean * W).sum(axis=1)
    return out


class Diagonal:
    """About the second derivative of each coefficient by itself, as a matrix to begin from.

    The mean square of a column times the mean curvature of the losses, and the l2 part: where
    rows are fitted well, or lie where a loss is straight, curvatures of single rows come and go,
    and those of columns that few rows have with them, while the l2 part weighs ever more beside
    their mean. Columns are centred by their means over the rows that have a curvature, where that
    matters: it does on words, of which a row has few, and hardly on others. The means are read
    from X ever more seldom. Classes of a softmax have the diagonal itself on words, the
    columns of sparse rows where there are more than 1,500: those of a class are in its rows.
    """

    def __init__(self, problem):
        self.exact, self.uneven = self.is_exact(problem.objective), False
        self.mean, self.due = None, 0
        if not self.exact:
            with np.errstate(over="ignore", invalid="ignore"):
                self.squares = problem.objective.mean_squares()

    @staticmethod
    def is_exact(objective):
        """Return whether it is that of the Hessian itself, which costs readings of X."""
        return coupled(objective) and objective.sparse and objective.n_features > FACTORED

    def look(self, problem, eta, t=0):
        """Take it at step ``t``; ``uneven`` says whether it is worth taking."""
        objective, looked = problem.objective, False
        with np.errstate(over="ignore", invalid="ignore"):
            if self.exact:
                diagonal = objective.hessian_diagonal(eta) / objective.mass
                W, b = objective.split(diagonal)
            else:
                diagonal = np.empty(objective.n_params)
                W, b = objective.split(diagonal)
                bent = objective.curvatures(eta)
                bend = (np.ones(len(bent)) @ bent) / objective.mass
                W[:], b[:] = bend[:, None] * self.squares, bend[: len(b)]
                looked = objective.fit_intercept and t >= self.due
                if looked:
                    self.mean = mean_bent(objective, bent)
            if problem.has_l2:
                W += problem.l2
        if not objective.fit_intercept:
            b[:] = 1.0  # multiplied by zero
        largest = float(diagonal.max(initial=0.0))
        self.uneven = 0.0 < largest < np.inf
        if self.uneven:
            self.inverse = 1.0 / np.maximum(diagonal, _LEAST_SHARE * largest)
            self.uneven = float(self.inverse.max() / self.inverse.min()) > _UNEVEN
            if looked:
                self._centre(*objective.split(self.inverse))
                self.due = t * (_SELDOM if self.mean is None else _AGAIN)
            self.uneven = self.uneven or self.mean is not None

    def _centre(self, W, b):
        """Keep means of columns only where much of the curvature of an intercept is theirs."""
        share = float(((self.mean * self.mean * W).sum(axis=1) / b).max(initial=0.0))
        if not _CENTRED < share < np.inf:
            self.mean = None

    def solve(self, grad):
        """Return the inverse times ``grad``, a new array."""
        return centred_solve(self.inverse, self.mean, grad)

    def with_intercepts(self, chosen):
        """Return which coefficients are chosen, and all intercepts."""
        chosen = chosen.copy()
        if self.mean is not None:
            chosen[self.mean.size :] = True
        return chosen

    def _means(self, at):
        """Yield a slice of coefficients, where their intercept is, and the means of their columns.

        Of those of each output; all intercepts must follow.
        """
        k, d = self.mean.shape
        ends = np.searchsorted(at, d * np.arange(k + 1))
        for j in range(k):
            some = slice(ends[j], ends[j + 1])
            yield some, len(at) - k + j, self.mean[j, at[some] - j * d]

    def centre(self, at, steps, gradients):
        """Turn rows of steps and of gradients at some coefficients into those of centred columns.

        In place. Intercepts must be among the coefficients, as `with_intercepts` sees to.
        """
        if self.mean is None:
            return
        for some, b, mean in self._means(at):
            steps[:, b] += steps[:, some] @ mean
            gradients[:, some] -= gradients[:, b, None] * mean

    def uncentre(self, at, step):
        """Turn a step at some coefficients back into one in the columns as they are, in place."""
        if self.mean is not None:
            for some, b, mean in self._means(at):
                step[b] -= float(step[some] @ mean)
