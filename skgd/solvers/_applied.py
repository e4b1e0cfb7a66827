"""The second derivative of F as products with vectors, and conjugate gradients."""

import numpy as np

from ._composite import accelerated, conjugate_gradients
from ._curvature import DAMPING, centred_solve, copyable, coupled, mean_bent

__all__ = ["Applied"]

_PER_COLUMN = 4  # rows for each coefficient of a sample
_ENOUGH = 10  # times as many rows, from which one says enough
_LEFT = 0.1  # of the gradient, in the metric of the diagonal: a model is not true any further
_MOST = 500  # products
_HALF = 0.5  # of the rows with a curvature, up to which a copy of them saves more than it costs


class Applied:
    r"""The second derivative of F at a point, and what solves with it.

    Conjugate gradients with the diagonal as preconditioner [1]_:

    .. math::

        \left(\frac1m Z^T D Z + \Lambda\right) x = g, \qquad
        \left(\frac1m \sum_i D_i z_{ij}^2 + \lambda_j\right)^{-1} r_j

    Curvatures of a loss that is flat on one side come and go, and with them entries of the
    diagonal by powers of ten; so do columns that few rows have. Rows without a curvature are
    left out. Pickled without rows, which `attach` gives back.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    theta : ndarray of shape (n_params,)
        The point.
    eta : ndarray of shape (n_rows, n_outputs)
        Linear predictors there.

    References
    ----------
    .. [1] C.-Y. Hsia, W.-L. Chiang, C.-J. Lin (2018). "Preconditioned conjugate gradient methods
       in truncated Newton frameworks for large-scale linear classification". ACML.
    """

    def __init__(self, problem, theta, eta):
        objective = problem.objective
        self.whole = objective.n_active <= _ENOUGH * _PER_COLUMN * objective.n_params
        self.numbers = self.rows = self.bent = None
        if not self.whole:
            self.attach(problem)
            eta = self.rows.linear(theta)
        if not coupled(objective):
            self.bent = (self.rows or objective).curvatures(eta)
            held = np.flatnonzero((self.bent > 0.0).any(axis=1)) if self.whole else ()
            if 0 < len(held) <= _HALF * objective.n_rows and copyable(objective, len(held)):
                self.numbers, eta, self.bent = held, eta[held], self.bent[held]
        self.eta = eta
        self.attach(problem)
        self.l2 = np.zeros(objective.n_params)
        if problem.has_l2:
            objective.split(self.l2)[0][:] = problem.l2
        diagonal = self.rows.hessian_diagonal(eta) / self.rows.mass
        W, b = objective.split(diagonal)
        self.mean = None
        if not objective.fit_intercept:
            b[:] = 1.0  # multiplied by zero
        elif self.bent is not None:
            self.mean = mean_bent(self.rows, self.bent)
            W -= np.minimum(b[:, None] * self.mean * self.mean, W)  # rounding may go below
        diagonal += self.l2
        self.damping = DAMPING * max(float(diagonal.max(initial=0.0)), 1e-300)
        self.inverse = 1.0 / (diagonal + self.damping)

    def __getstate__(self):
        return vars(self) | {"rows": None}

    def attach(self, problem):
        """Give the rows to one that was pickled without."""
        if self.rows is not None:
            return
        self.rows = objective = problem.objective
        if not self.whole:
            self.rows = objective.sample(_PER_COLUMN * objective.n_params)
        elif self.numbers is not None:
            self.rows = objective.of_rows(self.numbers)

    def apply(self, v):
        """Return the product with a vector; reads the rows twice."""
        moved = self.rows.linear(v)
        bent = self.rows.bent(self.eta, moved) if self.bent is None else self.bent * moved
        return self.rows.adjoint(bent) / self.rows.mass + (self.l2 + self.damping) * v

    def solve(self, grad):
        """Return about the solution for a right side."""
        x = conjugate_gradients(self.apply, self._precondition, grad, _LEFT, _MOST)
        return x if x.any() else self._precondition(grad)

    def _precondition(self, grad):
        return centred_solve(self.inverse, self.mean, grad)

    def minimum(self, problem, theta, grad):
        """Return about the minimum of the quadratic model and a penalty with kinks."""
        return accelerated(self.apply, problem.prox, theta, grad)
