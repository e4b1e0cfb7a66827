"""F of a linear model in plain NumPy, and its least value found independently.

Shared by the scripts of this folder. Nothing here uses skgd: F, its gradient and its second
derivatives are written anew, and F* comes from Newton's method in centred, scaled columns,
float64, with a certificate that does not depend on how the point was found:

- ``violation``: distance of zero to the subdifferential, sup norm in scaled variables, as a
  fraction of the same at the best model that is an intercept alone;
- ``gap``: (F - D) / (F0 - F), D the value of a dual feasible point, so that the true optimum
  lies within ``gap`` of the value given, in the unit of the excess (F - F*) / (F0 - F*).
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import expit, softmax, xlogy

L1_RATIOS = {"l2": 0.0, "l1": 1.0, "elasticnet": 0.15}  # with the estimators' default mix
_DENSE_HESSIAN = 2_500  # coordinates up to which the Hessian is formed; conjugate gradients beyond


# -- losses ---------------------------------------------------------------------------
#
# ``eta`` and ``y`` of shape (n, k); ``value`` and ``conjugate`` give one number per row. ``y`` is
# the target of a regression, +-1 for two classes, one-hot rows beyond.


class SquaredError:
    @staticmethod
    def value(eta, y):
        return 0.5 * np.sum((eta - y) ** 2, axis=1)

    @staticmethod
    def slope(eta, y):
        return eta - y

    @staticmethod
    def curvature(eta, y):
        return np.ones_like(eta)

    @staticmethod
    def conjugate(v, y):
        return np.sum(v**2 / 2 + v * y, axis=1)


class Huber:
    def __init__(self, epsilon):
        self.epsilon = epsilon

    def value(self, eta, y):
        r = np.abs(eta - y)
        near = np.minimum(r, self.epsilon)
        return np.sum(near**2 / 2 + self.epsilon * (r - near), axis=1)

    def slope(self, eta, y):
        return np.clip(eta - y, -self.epsilon, self.epsilon)

    def curvature(self, eta, y):
        return (np.abs(eta - y) < self.epsilon).astype(float)

    @staticmethod
    def conjugate(v, y):
        return np.sum(v**2 / 2 + v * y, axis=1)


class LogLoss:
    @staticmethod
    def value(eta, y):
        return np.logaddexp(0, -y * eta)[:, 0]

    @staticmethod
    def slope(eta, y):
        return -y * expit(-y * eta)

    @staticmethod
    def curvature(eta, y):
        return expit(eta) * expit(-eta)

    @staticmethod
    def conjugate(v, y):
        t = np.clip(-v * y, 0, 1)
        return (xlogy(t, t) + xlogy(1 - t, 1 - t))[:, 0]


class Softmax:
    @staticmethod
    def value(eta, y):
        return np.logaddexp.reduce(eta, axis=1) - np.sum(y * eta, axis=1)

    @staticmethod
    def slope(eta, y):
        return softmax(eta, axis=1) - y

    @staticmethod
    def curvature(eta, y):
        p = softmax(eta, axis=1)
        return p * (1 - p)

    @staticmethod
    def conjugate(v, y):
        p = np.clip(v + y, 0, 1)
        return xlogy(p, p).sum(axis=1)


class Poisson:
    @staticmethod
    def value(eta, y):
        return (xlogy(y, y) - y * eta - y + np.exp(eta))[:, 0]

    @staticmethod
    def slope(eta, y):
        return np.exp(eta) - y

    @staticmethod
    def curvature(eta, y):
        return np.exp(eta)

    @staticmethod
    def conjugate(v, y):
        mu = np.maximum(v + y, 0)
        return (xlogy(mu, mu) - mu - xlogy(y, y) + y)[:, 0]


class SquaredHinge:
    @staticmethod
    def value(eta, y):
        return (np.maximum(1 - y * eta, 0) ** 2)[:, 0]

    @staticmethod
    def slope(eta, y):
        return -2 * y * np.maximum(1 - y * eta, 0)

    @staticmethod
    def curvature(eta, y):
        return 2.0 * (y * eta < 1)

    @staticmethod
    def conjugate(v, y):
        t = np.maximum(-v * y, 0)
        return (t**2 / 4 - t)[:, 0]


def _loss(name, k, epsilon):
    if name == "huber":
        return Huber(epsilon)
    if name == "log_loss":
        return LogLoss() if k == 1 else Softmax()
    kinds = {"squared_error": SquaredError, "poisson": Poisson, "squared_hinge": SquaredHinge}
    return kinds[name]()


# -- columns --------------------------------------------------------------------------


class Columns:
    """Centred columns of unit standard deviation, and a column of ones as the last.

    Dense rows are copied; of sparse ones the means enter the products instead.
    """

    def __init__(self, X):
        n, d = X.shape
        self.sparse = sp.issparse(X)
        mean = np.asarray(X.mean(axis=0)).ravel()
        if self.sparse:
            square = np.asarray(X.multiply(X).mean(axis=0)).ravel()
            std = np.sqrt(np.maximum(square - mean**2, 0))
            # The difference above is rounded; what is left of a constant column is noise.
            std[std <= 1e-7 * np.abs(mean)] = 0
        else:
            std = X.std(axis=0)
            std[std <= 1e-12 * np.abs(mean)] = 0
        std[std == 0] = 1.0
        self.mean, self.std = np.append(mean, 0.0), np.append(std, 1.0)
        if self.sparse:
            self.X = sp.hstack([X, np.ones((n, 1))], format="csr")
            self.XT, self.by_column = self.X.T.tocsr(), self.X.tocsc()
        else:
            self.Z = np.empty((n, d + 1))
            self.Z[:, :d] = (X - mean) / std
            self.Z[:, d] = 1.0

    def dot(self, U):
        """Return ``eta`` of shape (n, k) for coefficients of shape (k, d + 1)."""
        if not self.sparse:
            return self.Z @ U.T
        W = U / self.std
        return self.X @ W.T - W @ self.mean

    def adjoint(self, V):
        """Return the transposed product, of shape (k, d + 1), for V of shape (n, k)."""
        if not self.sparse:
            return V.T @ self.Z
        return ((self.XT @ V).T - np.outer(V.sum(axis=0), self.mean)) / self.std

    def squares(self, h):
        """Return ``sum_i h_ij z_i**2``, of shape (k, d + 1)."""
        if not self.sparse:
            return np.stack([np.einsum("i,ij,ij->j", c, self.Z, self.Z) for c in h.T])
        total = (self.XT.power(2) @ h).T - 2 * self.mean * (self.XT @ h).T
        return np.maximum(total + np.outer(h.sum(axis=0), self.mean**2), 0) / self.std**2

    def gram(self, h, I, J):  # noqa: E741
        """Return ``Z_I' diag(h) Z_J`` for arrays of column numbers."""
        if not self.sparse:
            return self.Z[:, I].T @ (h[:, None] * self.Z[:, J])
        A, B, a, b = self.by_column[:, I], self.by_column[:, J], self.mean[I], self.mean[J]
        G = (A.T @ B.multiply(h[:, None]).tocsc()).toarray()
        G += h.sum() * np.outer(a, b) - np.outer(a, B.T @ h) - np.outer(A.T @ h, b)
        return G / np.outer(self.std[I], self.std[J])


# -- the objective --------------------------------------------------------------------


class Optimum(NamedTuple):
    """F*, how sure it is, and where."""

    value: float
    violation: float
    gap: float
    coef: np.ndarray | None = None
    intercept: np.ndarray | None = None


class Objective:
    """F of a linear model, (1/n) sum of losses plus alpha times the penalty, in float64.

    ``task`` is ``"binary"``, ``"multiclass"`` or ``"regression"``; ``loss`` and ``penalty`` are
    strings of the estimators, the defaults of theirs when left out.
    """

    def __init__(self, X, y, task, alpha, loss=None, penalty="l2", epsilon=0.1):
        self.X = X.astype(np.float64)
        self.n, self.alpha, self.epsilon = len(y), alpha, epsilon
        self.a1 = alpha * L1_RATIOS[penalty]
        self.a2 = alpha - self.a1
        self.name = loss or ("squared_error" if task == "regression" else "log_loss")
        if task == "regression":
            self.y = y.astype(np.float64)[:, None]
        else:
            classes, codes = np.unique(y, return_inverse=True)
            if len(classes) == 2:
                self.y = 2.0 * codes[:, None] - 1
            elif self.name == "log_loss":
                self.y = np.eye(len(classes))[codes]
            else:
                raise ValueError(f"loss={self.name!r} is written for two classes only")
        self.k = self.y.shape[1]
        self.loss = _loss(self.name, self.k, epsilon)

    def value(self, coef, intercept):
        """F; infinite where a coefficient is not a number."""
        coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
        with np.errstate(all="ignore"):
            eta = np.asarray(self.X @ coef.T) + np.asarray(intercept, dtype=np.float64)
            F = np.mean(self.loss.value(eta, self.y))
            F += self.a1 * np.sum(np.abs(coef)) + self.a2 / 2 * np.sum(coef**2)
        return float(F) if np.isfinite(F) else np.inf

    def null(self):
        """F of the best model without coefficients, and its intercepts."""
        y, mean = self.y, self.y.mean(axis=0)
        if self.name == "log_loss":
            b = np.log(mean) if self.k > 1 else np.log((1 + mean) / (1 - mean))
        elif self.name == "poisson":
            b = np.log(mean)
        elif self.name == "huber" and np.ptp(y) > 0:
            slope = lambda c: self.loss.slope(np.full_like(y, c), y).sum()  # noqa: E731
            # A half more than the range: the slope at the ends is then not zero.
            reach = 0.5 * np.ptp(y)
            b = np.array([brentq(slope, y.min() - reach, y.max() + reach, xtol=1e-14)])
        else:
            b = mean
        return float(np.mean(self.loss.value(np.tile(b, (self.n, 1)), y))), b

    # -- the optimum --------------------------------------------------------------------

    def optimum(self, tol=1e-12, max_steps=300):
        """Return the `Optimum`: Newton's method until the violation is ``tol``, or rounding."""
        self.columns = Columns(self.X)
        std = self.columns.std
        ones = np.arange(len(std)) < len(std) - 1  # the intercept is not penalised
        self.l1, self.l2 = self.a1 / std * ones, self.a2 / std**2 * ones
        F0, b = self.null()
        U = np.zeros((self.k, len(std)))
        U[:, -1] = b
        first = np.abs(self._slope(U, self.columns.dot(U))).max()
        losses, size = [self.loss], np.std(self.y)
        if self.name == "huber":
            # From least squares to the epsilon asked for: each solution starts the next, since
            # the curvature far from the solution tells nothing where epsilon is small.
            while losses[0].epsilon < size:
                losses.insert(0, Huber(4 * losses[0].epsilon))
        for self.loss in losses:
            last = self.loss is losses[-1]
            U, violation = self._newton(U, first * (tol if last else 1e-6), max_steps)
        eta = self.columns.dot(U)
        F = self._F(U, eta)
        gap = self._gap(U, eta) / max(F0 - F, 1e-300)
        coef = U[:, :-1] / std[:-1]
        return Optimum(F, violation / first, gap, coef, U[:, -1] - coef @ self.columns.mean[:-1])

    def _F(self, U, eta):
        with np.errstate(over="ignore", invalid="ignore"):
            F = np.mean(self.loss.value(eta, self.y))
            F += np.sum(self.l1 * np.abs(U)) + np.sum(self.l2 * U**2) / 2
        return F if np.isfinite(F) else np.inf

    def _slope(self, U, eta):
        """Return the subgradient of F that is nearest to zero."""
        G = self.columns.adjoint(self.loss.slope(eta, self.y) / self.n) + self.l2 * U
        away = np.sign(G) * np.maximum(np.abs(G) - self.l1, 0)
        return np.where(U != 0, G + self.l1 * np.sign(U), away)

    def _newton(self, U, tol, max_steps):
        """Projected Newton steps: signs stay within a step, and what crosses zero stops there."""
        eta = self.columns.dot(U)
        best, best_violation, stalled, stuck = U, np.inf, 0, False
        F, damping = self._F(U, eta), 0.0
        for _ in range(max_steps):
            P = self._slope(U, eta)
            violation = np.abs(P).max()
            stalled = stalled + 1 if stuck and violation > 0.5 * best_violation else 0
            if violation < best_violation:
                best, best_violation = U, violation
            if violation <= tol or stalled > 15:
                break
            h = self.loss.curvature(eta, self.y) / self.n
            # Damped where the last step had to be cut: where H is singular, or says little about
            # F further away, the direction is long and arbitrary.
            damping = max(damping, 1e-13 * h.sum(axis=0).max() or 1e-8)
            diagonal = self.columns.squares(h) + self.l2 + damping
            side = np.where(U != 0, np.sign(U), -np.sign(P))
            bound = self.l1 > 0
            free = (U != 0) | (P != 0) | ~bound
            # Coordinates about to reach zero would bend the step of all others.
            near = bound & (U * P > 0) & (np.abs(U) * diagonal <= np.abs(P))
            D = -P / diagonal
            D[free & ~near] = self._direction(eta, h, P, free & ~near, diagonal, damping)
            U, eta, value, t = self._search(U, eta, F, P, D, side, bound)
            damping *= 0.1 if t > 0.3 else 10.0 if t > 0.01 else 1e3
            stuck, F = value >= F * (1 - 1e-14), value
        return best, best_violation

    def _direction(self, eta, h, P, free, diagonal, damping):
        """Newton's direction over the coordinates of the mask ``free``, flat."""
        p = softmax(eta, axis=1) if self.k > 1 else None
        l2 = np.broadcast_to(self.l2, free.shape)[free] + damping
        if free.sum() <= _DENSE_HESSIAN:
            at = [np.flatnonzero(row) for row in free]

            def block(a, b):
                weights = h[:, a] if a == b else -p[:, a] * p[:, b] / self.n
                return self.columns.gram(weights, at[a], at[b])

            outputs = range(self.k)
            H = np.block([[block(a, b) if b <= a else np.zeros((len(at[a]), len(at[b])))
                           for b in outputs] for a in outputs])  # fmt: skip
            H = np.tril(H) + np.tril(H, -1).T
            H[np.diag_indices_from(H)] += l2
            scale = 1 / np.sqrt(np.diag(H))
            H *= np.outer(scale, scale)
            for ridge in 10.0 ** np.arange(-13, 0):
                try:
                    # The intercepts of the softmax, and columns that add up to one, leave H
                    # singular: the ridge chooses one of the directions that are as good.
                    factor = cho_factor(H + ridge * np.eye(len(H)), lower=True)
                    return -scale * cho_solve(factor, scale * P[free])
                except np.linalg.LinAlgError:
                    continue
            return -P[free] / diagonal[free]

        def product(x):
            V = np.zeros(free.shape)
            V[free] = x
            E = self.columns.dot(V)
            if p is None:
                E = h * E
            else:
                E = p * (E - np.sum(p * E, axis=1, keepdims=True)) / self.n
            return self.columns.adjoint(E)[free] + l2 * x

        size = int(free.sum())
        operator = LinearOperator((size, size), matvec=product, dtype=float)
        jacobi = LinearOperator((size, size), matvec=lambda x: x / diagonal[free], dtype=float)
        return cg(operator, -P[free], rtol=1e-3, maxiter=400, M=jacobi)[0]

    def _search(self, U, eta, F, P, D, side, bound):
        """Return the next point, its ``eta``, its F and the step length, along the direction."""
        if not bound.any():
            E = self.columns.dot(D)
            slope = self._along(U, eta, D, E)
            start, t = slope(0.0), 1.0
            if not abs(slope(t)) <= 0.1 * abs(start):
                while slope(t) < 0 and t < 1e6:
                    t *= 4
                while not np.isfinite(slope(t)):
                    t /= 2
                if slope(t) > 0:
                    t = brentq(slope, 0.0, t, xtol=1e-14 * t, rtol=1e-12)
            new, moved = U + t * D, eta + t * E
            return new, moved, self._F(new, moved), t
        t = 1.0
        for _ in range(60):
            new = U + t * D
            new[bound & (new * side < 0)] = 0.0
            moved = self.columns.dot(new)
            value = self._F(new, moved)
            if value <= F + 1e-4 * np.sum(P * (new - U)) + 1e-15 * abs(F):
                return new, moved, value, t
            t /= 2
        return U, eta, F, 0.0

    def _along(self, U, eta, D, E):
        a, b = np.sum(self.l2 * U * D), np.sum(self.l2 * D * D)

        def slope(t):
            with np.errstate(over="ignore", invalid="ignore"):
                return np.sum(self.loss.slope(eta + t * E, self.y) * E) / self.n + a + t * b

        return slope

    def _gap(self, U, eta):
        """F - D, as a sum of terms of which none is negative, so that nothing cancels."""
        v = self._balanced(self.loss.slope(eta, self.y))
        std = self.columns.std[:-1]
        z = self.columns.adjoint(v / self.n)[:, :-1] * std  # centring is free: v sums to zero
        if self.a2 == 0 and np.abs(z).max() > self.a1:
            # Smaller dual variables stay feasible for every loss here.
            scale = self.a1 / np.abs(z).max()
            v, z = v * scale, z * scale
        W = U[:, :-1] / std
        rows = self.loss.value(eta, self.y) + self.loss.conjugate(v, self.y)
        rows -= np.sum(v * eta, axis=1)
        s = -np.sign(z) * np.maximum(np.abs(z) - self.a1, 0)
        columns = self.a1 * np.abs(W) + W * np.clip(z, -self.a1, self.a1)
        if self.a2 > 0:
            columns += (self.a2 * W - s) ** 2 / (2 * self.a2)
        return float(np.mean(np.maximum(rows, 0)) + np.sum(np.maximum(columns, 0)))

    def _balanced(self, v):
        """Dual variables near ``v`` that sum to zero and stay in the domain of the conjugate."""
        if self.name == "squared_error":
            return v - v.mean(axis=0)
        if self.k == 1:
            up, down = v[v > 0].sum(), -v[v < 0].sum()
            return np.where(v > 0, v * min(1, down / up), v * min(1, up / down))
        # Rows are probabilities less one-hot targets: a share t of the rows is moved to one
        # vector q, with t as small as keeps q a vector of probabilities.
        share, off = self.y.mean(axis=0), v.mean(axis=0)
        t = np.max(np.maximum(off, 0) / share) * 1.01
        if not 0 < t < 1:
            return v
        q = share - (1 - t) / t * off
        return (1 - t) * v + t * (q - self.y)
