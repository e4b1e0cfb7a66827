"""As few rows as there are columns, with the same squared errors."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dpocon, dpstrf

from ._linear import LinearObjective
from ._moments import Moments, weighted_squares

__all__ = ["Compressed", "compressed"]

_ROUNDING = 8.0 * np.finfo(float).eps  # of second moments, relative to those about zero
_LEAST = 1e-280  # squares below have lost digits
_FEW = 64  # rows that tell about where columns are
_SURE = 10.0  # times what rounding may add, that the least curvature must be


@dataclass(eq=False)
class Compressed:
    """Second moments of rows, an objective of few that have the same, and the way back."""

    rows: LinearObjective  # what they stand for
    central: np.ndarray  # (n_features + n_outputs,) * 2  of scaled columns and targets
    square: np.ndarray  # (n_features,)  variances
    mean: np.ndarray  # (n_features,)  zeros without an intercept
    target: np.ndarray  # (n_outputs,)  means of the targets; zeros without an intercept
    scale: np.ndarray  # (n_features,)  deviations of the columns
    unit: np.ndarray  # (n_outputs,)  those of the targets
    weight: float  # sum of the weights over the mass

    @cached_property
    def objective(self):
        """Few rows, without an intercept: the best one is known."""
        d, k = len(self.scale), len(self.unit)
        factor, pivots, rank, _ = dpstrf(self.central, lower=1)
        rows = np.zeros((max(rank, 1), d + k))
        rows[:rank, pivots - 1] = np.tril(factor)[:, :rank].T
        values = rows[:, d:] * self.unit
        few = LinearObjective(
            rows[:, :d] * self.scale,
            values[:, 0].copy() if self.rows.y.ndim == 1 else values,
            np.ones(len(rows)),
            self.rows.loss,
            n_outputs=k,
            fit_intercept=False,
            mass=1.0 / self.weight,
        )
        few.dtype = self.rows.dtype
        return few

    @property
    def moments(self):
        """Those about which the columns of `objective` are to be scaled."""
        # Of how far columns reach nobody asks whose steps see all rows.
        mass, zero = float(self.rows.n_active), np.zeros(len(self.scale))
        return Moments(mass, zero, self.square, -self.scale, self.scale)

    @property
    def null_value(self):
        """Mean squared error of zero coefficients, half of it."""
        d = len(self.scale)
        return 0.5 * self.weight * float(np.diagonal(self.central)[d:] @ self.unit**2)

    def tells(self, factor, held=slice(None)):
        """Return whether a solution of normal equations does not hang on rounding.

        Parameters
        ----------
        factor : ndarray of shape (n_held, n_held)
            Lower Cholesky factor of the second moments of scaled columns, penalty included.
        held : slice or ndarray of int
            Which columns.

        Returns
        -------
        bool
            True where the least curvature is far above what rounding may have added.
        """
        least = dpocon(factor, 1.0, uplo="L")[0]  # of the inverse, in the 1-norm: about the least
        far = 1.0 + np.abs(self.mean[held] / self.scale[held])
        return bool(least > _SURE * _ROUNDING * float(far.sum()))

    def with_intercepts(self, theta):
        """Return ``theta`` with the best intercepts for its coefficients.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            In the user's variables.

        Returns
        -------
        ndarray of shape (n_params,)
            A point of the objective that was compressed, with the same loss.
        """
        out = theta.copy()
        W, b = self.rows.split(out)
        b[:] = self.target - W @ self.mean
        return out

    def noise(self, theta):
        """Return what rounding may have added to the mean loss at a point, at most."""
        W = self.rows.split(theta)[0]
        size = np.abs(W) @ self.scale + self.unit
        # Entries far from zero have lost digits before they are centred.
        far = np.abs(W) @ np.abs(self.mean) + np.abs(self.target)
        return _ROUNDING * float(size @ (size + far))


def _rough(objective):
    """Return about the means and inverse deviations of columns and targets, from a few rows."""
    few = objective.sample(_FEW)
    few = np.hstack([few.X, few.y.reshape(few.n_rows, -1)], dtype=float)
    # So that nothing is left of a constant column, to the last bit.
    centre = few[0] + (few - few[0]).mean(axis=0)
    spread = np.sqrt(np.square(few - centre).mean(axis=0))
    return centre, 1.0 / np.where(spread > 0, spread, 1.0)


def _central_moments(objective, y):
    """Return second moments of scaled dense columns and targets, and what they tell of these.

    Returns
    -------
    whole, inv, mean, square, spread : ndarray
        Sums of products about the means, times ``inv`` and ``inv``; means, variances, and whether
        something is not constant. None in place of all where the rows that were looked at are too
        far from the means: squares about them have lost digits.
    """
    centre, inv = _rough(objective)
    if not objective.fit_intercept:
        centre[:] = 0.0
    found = weighted_squares(objective, centre, inv, y)
    whole, mass = found[:-1, :-1], found[-1, -1]
    mean, square = centre, np.diagonal(whole) / mass
    if objective.fit_intercept:
        off = found[-1, :-1] / mass
        if not (np.isfinite(square) & (off * off <= 0.5 * square)).all():
            return None
        whole -= found[-1, :-1, None] * off
        mean, square = centre + off / inv, np.diagonal(whole) / mass
    return whole, inv, mean, square / inv**2, square > 0.0


def _given_moments(objective, y):
    """Return what `_central_moments` does, about means that are known or read first."""
    moments, mass = Moments.of(objective), float(objective.s.sum())
    if objective.fit_intercept:
        target = objective.s @ y / mass
        mean, square, spread = moments.mean, moments.var, moments.high > moments.low
    else:
        target = np.zeros(y.shape[1])
        mean, square = np.zeros_like(moments.mean), moments.var + moments.mean**2
        spread = (moments.low != 0.0) | (moments.high != 0.0)
    left = y - target
    square = np.append(square, objective.s @ left**2 / mass)
    spread, mean = np.append(spread, left.any(axis=0)), np.append(mean, target)
    inv = 1.0 / np.sqrt(np.where(square > 0, square, 1.0))
    if not objective.sparse:
        return weighted_squares(objective, mean, inv, y)[:-1, :-1], inv, mean, square, spread
    d, weighted = objective.n_features, left * objective.s[:, None]
    whole = np.empty((len(mean), len(mean)))
    whole[:d, :d] = weighted_squares(objective, mean[:d], inv[:d])[:-1, :-1]
    G, g = objective.split(objective.adjoint(weighted))
    if objective.fit_intercept:
        G -= g[:, None] * mean[:d]
    whole[d:, :d] = G * inv[:d] * inv[d:, None]
    whole[:d, d:] = whole[d:, :d].T
    whole[d:, d:] = weighted.T @ left * np.outer(inv[d:], inv[d:])
    return whole, inv, mean, square, spread


def compressed(objective):
    r"""Return rows with the squared errors of all rows, or None where there are none.

    .. math:: \frac{1}{\sum_i s_i} \sum_i s_i \|y_i - W x_i - b\|^2
        = \sum_{j \le d + k} \|v_j - W u_j\|^2

    at the best intercepts, for rows :math:`[u_j, v_j]` of a factor of the weighted second
    moments of :math:`[x_i, y_i]` about their means.

    Parameters
    ----------
    objective : LinearObjective
        In the user's variables, with the squared error.

    Returns
    -------
    Compressed or None
        None where second moments overflow, or spreads are so small that their squares vanish.

    Notes
    -----
    Costs one reading of X, one more where its moments are not known and a few of the rows say too
    little of them, for sparse rows two more, and :math:`O(n d^2)` for the second moments, whose
    factor is found with pivots, so that dependent columns do no harm. Squares lose digits that
    rows have: F is off by a few roundings of ``(sum(|W| scale) + unit)**2``, where a pass over the
    rows is off by those of F.
    """
    d, mass = objective.n_features, float(objective.s.sum())
    y = objective.y.reshape(objective.n_rows, -1)
    with np.errstate(all="ignore"):
        known = objective.sparse or objective.knows_moments
        found = None if known else _central_moments(objective, y)
        whole, inv, mean, square, spread = found or _given_moments(objective, y)
        scale = np.sqrt(np.where(square > 0, square, 1.0))
        again = 1.0 / (inv * scale)
        whole *= again * again[:, None] / mass  # whatever the unit of the weights
    if (square[spread] < _LEAST).any():
        return None
    # What rounding leaves of a constant column must not pass for a small spread.
    whole[:, ~spread] = 0.0
    whole[~spread] = 0.0
    if not (np.isfinite(square).all() and np.isfinite(whole).all()):
        return None
    return Compressed(
        rows=objective,
        central=whole,
        square=square[:d],
        mean=mean[:d],
        target=mean[d:],
        scale=scale[:d],
        unit=scale[d:],
        weight=mass / objective.mass,
    )
