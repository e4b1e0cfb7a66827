"""Optima of problems that are smoother than the one at hand: dual points of both."""

import numpy as np
from scipy.linalg import LinAlgError

from ._driver import run
from ._dual import targets
from ._protocols import Stop
from .solvers import Newton
from .solvers._curvature import FACTORED, Factored, block_size

__all__ = ["foreseen", "left_by", "optimum_of", "wider_band"]

_STEPS, _SOLVED = 60, 1e-9
_ROUNDS = 3  # of one Hessian: the first step, and two that refine it
_WITHIN = 1e-6  # of the least l1 part: by how much sums of rows may pass it


def left_by(lower, problem, theta, value, eta):
    r"""Return the part of the gap at a point that is left by the slopes of a smooth loss.

    .. math::

        \frac1m \sum_i s_i \left(\ell_i(\eta_i) + \ell_i^*(u_i) - u_i \eta_i\right), \qquad
        u_i = \ell_{\delta i}'(\eta_i)

    Parameters
    ----------
    lower, problem : Problem
        That with the smooth loss, which is nowhere above that of the other.
    theta, value, eta : ndarray of shape (n_params,), float, ndarray of shape (n_rows, n_outputs)
        Point, F of ``lower`` there, and the linear predictors.

    Returns
    -------
    float
        What the point lacks of the optimum, but for what sums of slopes ask.
    """
    objective, smooth = problem.objective, lower.objective.loss
    loss, s, y = objective.loss, objective.s[:, None], targets(objective)
    u = np.divide(lower.objective.slopes(eta)[1], s, out=np.zeros_like(eta), where=s > 0)
    # Smoothing takes some from the loss wherever it has a slope.
    taken = float((s * (smooth.conjugate(y, u, np) - loss.conjugate(y, u, np))).sum())
    losses = objective.shifted_slopes(eta, np.zeros(eta.shape[1]))[0]
    return problem.value(theta, losses) - value - taken / objective.mass


def foreseen(smooth, theta, eta):
    r"""Return the slopes that a step of Newton on a smooth problem leads to, by its model.

    .. math:: u_i + h_i \, x_i \cdot d, \qquad H d = -\nabla F_\delta(\theta)

    Those at the margins where the step ends have the rounding of the margins over the width;
    these have that of the step, which is small near the optimum.

    Parameters
    ----------
    smooth : Problem
        With the smooth loss.
    theta, eta : ndarray of shape (n_params,), ndarray of shape (n_rows, n_outputs)
        Point and linear predictors there.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs) or None
        Weighted slopes, about within the bounds; None where coefficients are too many for a
        Hessian, or it has no inverse.
    """
    objective = smooth.objective
    if block_size(objective) > FACTORED:
        return None
    pull, bend = objective.slopes(eta)[1], objective.curvatures(eta)
    try:
        model = Factored(smooth, eta, objective.active())
        for _ in range(_ROUNDS):
            step = model.step(smooth, theta, smooth.gradient_of(theta, pull))
            pull, theta = pull + bend * objective.linear(step), theta + step
    except (LinAlgError, ValueError):
        return None
    return pull


def wider_band(objective, eta, room):
    """Return the residual to which the band of `Huber` may be widened.

    Parameters
    ----------
    objective : LinearObjective or ScaledObjective
        With that loss.
    eta : ndarray of shape (n_rows, n_outputs)
        Linear predictors.
    room : float
        What residuals within the band may add up to.

    Returns
    -------
    float
        The largest that meets it, about.
    """
    left = np.sort(np.abs(objective.y.reshape(eta.shape) - eta), axis=None)
    near = int(np.searchsorted(left * np.arange(1, len(left) + 1), room))
    return float(left[min(near, len(left) - 1)])


def optimum_of(problem, theta):
    """Return the optimum of a smooth problem to rounding, by at most 60 steps of `Newton`.

    Parameters
    ----------
    problem : Problem
        Of few enough coefficients for a Hessian.
    theta : ndarray of shape (n_params,)
        Where to begin.

    Returns
    -------
    ndarray of shape (n_params,)
        The last point. An interrupt is raised again.
    """
    solver = Newton()
    state = solver.init(problem, theta, None)
    least = _SOLVED * state.violation
    if problem.has_l1:
        least = min(least, _WITHIN * float(np.min(problem.l1)))

    def solved(event):
        stop = "stalled" in state.memory or event.violation <= least
        return Stop("converged") if stop else None

    result = run(problem, solver, state, [solved], _STEPS)
    if result.interrupt is not None:
        raise result.interrupt
    return result.state.point
