"""As few rows as there are columns, with the same squared errors."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpstrf

from ._linear import LinearObjective
from ._moments import Moments

__all__ = ["Compressed", "compressed"]

_LEAST = 1e-280  # squares below have lost digits
_FEW = 64  # rows that tell about where columns are


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


def _rough(objective):
    """Return about the means and inverse deviations of dense columns, from a few of the rows."""
    few = objective.sample(_FEW).X.astype(float)
    # So that nothing is left of a constant column, to the last bit.
    centre = few[0] + (few - few[0]).mean(axis=0)
    spread = np.sqrt(np.square(few - centre).mean(axis=0))
    return centre, 1.0 / np.where(spread > 0, spread, 1.0)


def _central_moments(objective):
    """Return second moments of scaled dense columns and what they tell of these, in one reading.

    Returns
    -------
    whole, inv, mean, square, spread : ndarray
        Second moments about the means, times ``inv`` and ``inv``; means, variances, and whether a
        column is not constant. None in place of all where the rows that were looked at are too
        far from the means: squares about them have lost digits.
    """
    centre, inv = _rough(objective)
    d = objective.n_features
    if not objective.fit_intercept:
        centre[:] = 0.0
    found = _hessian(objective, centre, inv)
    whole, mass = found[:d, :d], found[d, d]
    mean, square = centre, np.diagonal(whole) / mass
    if objective.fit_intercept:
        off = found[d, :d] / mass
        if not (np.isfinite(square) & (off * off <= 0.5 * square)).all():
            return None
        whole -= found[d, :d, None] * off
        mean, square = centre + off / inv, np.diagonal(whole) / mass
    return whole, inv, mean, square / inv**2, square > 0.0


def _given_moments(objective):
    """Return what `_central_moments` does, about means that are known or read first."""
    moments = Moments.of(objective)
    if objective.fit_intercept:
        mean, square, spread = moments.mean, moments.var, moments.high > moments.low
    else:
        mean, square = np.zeros_like(moments.mean), moments.var + moments.mean**2
        spread = (moments.low != 0.0) | (moments.high != 0.0)
    inv = 1.0 / np.sqrt(np.where(square > 0, square, 1.0))
    return _hessian(objective, mean, inv)[:-1, :-1], inv, mean, square, spread


def _hessian(objective, shift, inv_scale):
    """Return second moments of the columns and a 1, as one output has them."""
    one, flat = objective.outputs()[0], np.zeros((objective.n_rows, 1))
    return one.hessian(flat, one.active(), shift, inv_scale, bend=np.ones_like(flat))[0, 0]


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
    Costs a reading of X for each of them, one more where its moments are not known and the rows are
    sparse or a few of them say too little, and :math:`O(n d^2)` for the moments, whose factor is
    found with pivots, so that dependent columns do no harm. Squares lose digits that rows
    have: F is off by a few roundings of ``(sum(|W| scale) + unit)**2``, where a pass over the
    rows is off by those of F.
    """
    d, k, s = objective.n_features, objective.n_outputs, objective.s
    mass = float(s.sum())
    y = objective.y.reshape(len(s), k)
    target = s @ y / mass if objective.fit_intercept else np.zeros(k)
    with np.errstate(all="ignore"):
        known = objective.sparse or objective.knows_moments
        found = None if known else _central_moments(objective)
        central, inv, mean, square, spread = found or _given_moments(objective)
        left = y - target
        scale = np.sqrt(np.where(square > 0, square, 1.0))
        unit = np.sqrt(s @ left**2 / mass)
        if (square[spread] < _LEAST).any() or (left.any(axis=0) & (unit**2 < _LEAST)).any():
            return None
        if not np.isfinite(square).all():
            return None
        unit[~(unit > 0)] = 1.0
        left *= s[:, None]
        whole = np.empty((d + k, d + k))
        again = 1.0 / (inv * scale)
        whole[:d, :d] = central * again * again[:, None]
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
    # Of how far columns reach nobody asks whose steps see all rows.
    about = Moments(float(objective.n_active), np.zeros(d), square, -scale, scale)
    return Compressed(few, about, mean, target, scale, unit)
