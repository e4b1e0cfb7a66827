"""As few rows as there are columns, with the same squared errors."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpstrf

from ._linear import LinearObjective
from ._moments import Moments

__all__ = ["Compressed", "compressed"]

_LEAST = 1e-280  # squares below have lost digits


@dataclass(eq=False)
class Compressed:
    """An objective of few rows, and the way back to the rows that it stands for."""

    objective: LinearObjective  # no intercept: the best one is known
    moments: Moments  # about which its columns are to be scaled
    mean: np.ndarray  # (n_features,)  zeros without an intercept
    target: np.ndarray  # (n_outputs,)  means of the targets; zeros without an intercept
    scale: np.ndarray  # (n_features,)  deviations of the columns
    unit: np.ndarray  # (n_outputs,)  those of the targets

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
        W, b = self.objective.split(out)
        b[:] = self.target - W @ self.mean
        return out

    def noise(self, theta):
        """Return what rounding may have added to the mean loss at a point, at most."""
        W = self.objective.split(theta)[0]
        size = np.abs(W) @ self.scale + self.unit
        # Entries far from zero have lost digits before they are centred.
        far = np.abs(W) @ np.abs(self.mean) + np.abs(self.target)
        return 8.0 * np.finfo(float).eps * float(size @ (size + far))


def compressed(objective, moments):
    r"""Return rows with the squared errors of all rows, or None where there are none.

    .. math:: \frac{1}{\sum_i s_i} \sum_i s_i \|y_i - W x_i - b\|^2
        = \sum_{j \le d + k} \|v_j - W u_j\|^2

    at the best intercepts, for rows :math:`[u_j, v_j]` of a factor of the weighted second
    moments of :math:`[x_i, y_i]` about their means.

    Parameters
    ----------
    objective : LinearObjective
        In the user's variables, with the squared error.
    moments : Moments
        Of its columns.

    Returns
    -------
    Compressed or None
        None where second moments overflow, or spreads are so small that their squares vanish.

    Notes
    -----
    Costs a reading of X for each of them and :math:`O(n d^2)` for the moments, whose factor is
    found with pivots, so that dependent columns do no harm. Squares lose digits that rows
    have: F is off by a few roundings of ``(sum(|W| scale) + unit)**2``, where a pass over the
    rows is off by those of F.
    """
    d, k, s = objective.n_features, objective.n_outputs, objective.s
    mass = float(s.sum())
    y = objective.y.reshape(len(s), k)
    target, mean, square = np.zeros(k), np.zeros(d), moments.var + moments.mean**2
    if objective.fit_intercept:
        target, mean, square = s @ y / mass, moments.mean, moments.var
    with np.errstate(all="ignore"):
        left = y - target
        scale = np.sqrt(np.where(square > 0, square, 1.0))
        unit = np.sqrt(s @ left**2 / mass)
        spread = moments.high > moments.low
        if not objective.fit_intercept:
            spread = (moments.low != 0.0) | (moments.high != 0.0)
        if (square[spread] < _LEAST).any() or (left.any(axis=0) & (unit**2 < _LEAST)).any():
            return None
        unit[~(unit > 0)] = 1.0
        left *= s[:, None]
        whole = np.empty((d + k, d + k))
        one = objective.outputs()[0]
        flat = np.zeros((len(s), 1))
        whole[:d, :d] = one.hessian(flat, one.active(), mean, 1.0 / scale)[0, 0][:d, :d]
        G, g = objective.split(objective.adjoint(left))
        if objective.fit_intercept:
            G -= g[:, None] * mean
        whole[d:, :d] = G / scale / unit[:, None]
        # What rounding leaves of a constant column must not pass for a small spread.
        whole[:, :d][:, ~spread] = 0.0
        whole[:d][~spread] = 0.0
        whole[d:, d:] = left.T @ (y - target) / np.outer(unit, unit)
    if not np.isfinite(whole[:, :d]).all() or not np.isfinite(whole[d:, d:]).all():
        return None
    whole /= mass  # whatever the unit of the weights
    factor, pivots, rank, _ = dpstrf(whole, lower=1)
    rows = np.zeros((max(rank, 1), d + k))
    rows[:rank, pivots - 1] = np.tril(factor)[:, :rank].T
    values = rows[:, d:] * unit
    few = LinearObjective(
        rows[:, :d] * scale,
        values[:, 0].copy() if objective.y.ndim == 1 else values,
        np.ones(len(rows)),
        objective.loss,
        n_outputs=k,
        fit_intercept=False,
        mass=objective.mass / mass,
    )
    few.dtype = objective.dtype
    about = Moments(moments.mass, np.zeros(d), square, moments.low - mean, moments.high - mean)
    return Compressed(few, about, mean, target, scale, unit)
