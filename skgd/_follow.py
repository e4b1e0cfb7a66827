"""Fits of the same rows at many strengths of the penalty, each from the one before."""

import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ._build import (
    make_problem,
    null_point,
    relative_moments,
    scaled_problem,
)
from ._descend import descend
from ._dual import between_kinks, evened
from ._few import fit_on_few, may_be_few
from ._fit import moderate
from ._params import decided, read
from ._problem import Problem
from .objectives import ScaledObjective, compressed
from .solvers._curvature import Factored

__all__ = ["Ground", "follow", "grid"]

_EPS_L1, _EPS_L2 = 1e-3, 1e-6  # least strength of a grid, as a part of the largest
_TOP = 10.0  # curvatures along the gradient that the largest strength of an l2 penalty is
_LAST, _FEW = 1e-2, 0.1  # of the curvature of a column that a tenth is flatter than, the least
_WIDEST = 1e-14  # of the largest


# -- what all strengths share ---------------------------------------------------------


class Ground:
    """Rows, weights and all that does not depend on the penalty, made once.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Checked; its ``alpha`` and ``l1_ratio`` do not matter.
    plan : Plan
        From `read`.
    data : Data
        Validated.
    """

    def __init__(self, est, plan, data):
        problem = make_problem(plan, moderate(data), est.fit_intercept, 0.0)
        self.objective = problem.objective
        self.null = null_point(problem)
        self.losses = {}  # sums at points without coefficients, by their bytes
        self.samples = {}  # few of the rows, by how many at most
        self._moments = self._small = self._slope = None

    @property
    def moments(self):
        """Moments of the columns; reads the rows once."""
        if self._moments is None:
            self._moments = relative_moments(self.objective)
        return self._moments

    @property
    def slope(self):
        """Gradient of the mean loss in the coefficients at the null point; reads them once."""
        if self._slope is None:
            objective = self.objective
            if objective.loss.smooth or not objective.fit_intercept:
                grad = objective.sums(self.null)[1]
            else:
                # Of the slopes at a kink those count that the best intercept adds up to zero.
                pull = between_kinks(objective.linear(self.null), objective)
                evened(pull)
                grad = objective.adjoint(pull)
            self._slope = objective.split(grad / objective.mass)[0]
        return self._slope

    def small(self, plan, problem):
        """Return the rows in few (`Compressed`), or None where a run needs them as they are."""
        if not may_be_few(plan, problem):
            return None
        if self._small is None:
            self._small = compressed(self.objective) or False
        return self._small or None


# -- strengths ------------------------------------------------------------------------


def _ends(ground):
    """Return strengths of an l2 penalty that leave little of the coefficients, and nearly all.

    Without a penalty a coefficient is found with the curvature ``h * var`` of its column, with
    ``h`` what slopes change by over a unit of the loss.
    """
    objective, loss, null = ground.objective, ground.objective.loss, ground.null
    sizes = np.abs(objective.slopes(objective.linear(null))[1]).sum()
    h = sizes / objective.mass / float(loss.unit(objective.y, objective.s))
    square = float((ground.slope**2).sum())
    if not square > 0.0:
        return 0.0, 0.0
    along = objective.zeros()
    objective.split(along)[0][:] = ground.slope
    moved = objective.linear(along)
    var = ground.moments.var
    if objective.fit_intercept:
        moved -= objective.s @ moved / objective.s.sum()
    else:
        var = var + ground.moments.mean**2
    top = h * float(objective.s @ (moved * moved).sum(axis=1)) / objective.s.sum() / square
    some = var[var > 0]
    least = h * float(np.quantile(some, _FEW, method="lower")) if some.size else top
    return _TOP * top, max(min(_LAST * least, _EPS_L2 * _TOP * top), _WIDEST * top)


def grid(ground, plan, n_alphas, eps=None):
    """Return strengths from one that leaves next to nothing of the coefficients down.

    Parameters
    ----------
    ground : Ground
        The rows.
    plan : Plan
        Its penalty is of the elastic-net family.
    n_alphas : int
        How many.
    eps : float, default=None
        The least as a part of the largest; None is 1e-3 with an l1 part, else from the data.

    Returns
    -------
    ndarray of shape (n_alphas,)
        Decreasing, each the same part of the one before.
    """
    l1, _ = plan.penalty.lazy()
    if l1 > 0:
        top = float(np.abs(ground.slope).max(initial=0.0)) / l1
        # Rounding of the next one, or of second moments, must not let a coefficient in.
        top *= 1.0 + 1024.0 * np.finfo(float).eps
        last = _EPS_L1 * top
    else:
        top, last = _ends(ground)
    if not 0.0 < top < np.inf:
        top, last = 1.0, _EPS_L1  # targets that columns say nothing about
    last = last if eps is None else eps * top
    return np.geomspace(top, last, n_alphas) if n_alphas > 1 else np.array([top])


# -- along the path -------------------------------------------------------------------


@dataclass(eq=False)
class _Left:
    """What one strength leaves to the next."""

    theta: np.ndarray  # in the user's variables
    loss_sum: float = np.nan
    grad: np.ndarray | None = None  # of the sum of losses there, in the user's variables
    eta: np.ndarray | None = None
    age: int = 0
    model: Any = None  # Hessian of the loss, its scale, and the rows that it was taken from
    sample: int = 0
    widths: list | None = None  # of the bands about kinks
    cold: bool = False  # whether bands must begin wide


class _Shared:
    """An objective whose samples, and sums where there are no coefficients, others know too.

    Parameters
    ----------
    objective : ScaledObjective or LinearObjective
        Whose rows.
    ground : Ground
        Keeps samples of the rows, and sums of losses at points without coefficients, which
        have no variables.
    """

    def __init__(self, objective, ground):
        self._objective, self._ground = objective, ground

    def __getattr__(self, name):
        return getattr(self._objective, name)

    def sample(self, most):
        objective, kept = self._objective, self._ground.samples
        if most not in kept:
            kept[most] = self._ground.objective.sample(most)
        if objective.inv_scale is None:
            return kept[most]
        return ScaledObjective(kept[most], objective.shift, objective.scale)

    def loss_sum(self, theta):
        if self._objective.split(theta)[0].any():
            return self._objective.loss_sum(theta)
        key, kept = theta.tobytes(), self._ground.losses
        if key not in kept:
            kept[key] = self._objective.loss_sum(theta)
        return kept[key]


class _Moved(Factored):
    """The Hessian of the strength before, with the penalty of this one."""

    def __init__(self, problem, blocks):
        self.blocks = blocks
        self._finish(problem)

    @classmethod
    def of(cls, left, problem):
        """Return it in the variables of a problem."""
        model, scale = left.model
        turn = _scales(problem.objective) / scale
        return cls(problem, [(at, block / np.outer(turn[at], turn[at])) for at, block in model])


def _scales(objective):
    """Return the scale of each parameter."""
    out = np.ones(objective.n_params)
    if objective.inv_scale is not None:
        objective.split(out)[0][:] = 1.0 / objective.inv_scale
    return out


def _recall(problem, theta, left):
    """Let a problem know at its start what the strength before has seen there."""
    grad = problem.smooth_part(theta, problem.objective.grad_from_user(left.grad))
    problem.know(theta, problem.value(theta, left.loss_sum), grad, left.eta)


def _leave(problem, state, certificate, moved):
    """Return what is known at the end of a run that a later one may begin with.

    ``moved`` is the Hessian that this run has begun with.
    """
    objective, memory = problem.objective, state.memory
    left = _Left(objective.to_user(state.point))
    if "below" in memory:
        left.widths = [run.width for run in memory["runs"]]
    eta, grad = memory.get("eta"), memory.get("grad")
    if eta is None or grad is None or state.point is not state.theta or "age" not in memory:
        return left
    l2 = np.zeros(objective.n_params)
    if problem.has_l2:
        objective.split(l2)[0][:] = problem.l2
    left.loss_sum = objective.mass * (state.value - problem.penalty_value(state.point))
    left.grad = objective.grad_to_user(objective.mass * (grad - l2 * state.point))
    left.eta, left.age = eta, memory["age"]
    if objective.loss.flat:
        return left  # other rows are bent at the next strength
    model, sample = memory.get("model"), memory.get("sample", 0)
    newest = None if certificate is None else certificate.model
    if newest is not None and newest is not moved:
        model, sample = newest, objective.n_active  # taken where the run has ended
    if isinstance(model, Factored):
        blocks = [(at, block.copy()) for at, block in model.blocks]
        for at, block in blocks:
            block.flat[:: len(at) + 1] -= l2[at]
        left.model, left.sample = (blocks, _scales(objective)), sample
    return left


def follow(est, kind, ground, alphas, start=None):
    """Yield models fitted at decreasing strengths, each from the one before.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        With what its checks of the rows have set; not changed.
    kind : {"classification", "regression"}
        Of its losses.
    ground : Ground
        The rows.
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    start : ndarray of shape (n_params,), default=None
        Where the first one begins, in the user's variables; None is the null point.

    Yields
    ------
    model : GDRegressor or GDClassifier
        Fitted.
    seconds : float
        What it took.
    """
    rng = check_random_state(est.random_state)
    left = None if start is None else _Left(start)
    for alpha in alphas:
        begin = time.perf_counter()
        model = copy.copy(est)
        model.alpha = float(alpha)
        plan = read(model, kind, "fit")
        plain = Problem(ground.objective, plan.penalty, model.alpha)
        plan = decided(plan, plain)
        plain.check(plan.solver)
        small = ground.small(plan, plain)
        left = _one(model, plan, ground, plain, small, left, rng)
        yield model, time.perf_counter() - begin


def _one(model, plan, ground, plain, small, left, rng):
    """Fit one strength; return what it leaves to the next."""
    if small is not None:
        found = fit_on_few(model, plan, small, rng, None if left is None else left.theta)
        if found is not None:
            _stop(found[0])
            return _Left(found[2])
    moments = ground.moments if plan.solver.scales(plain) else None
    problem = scaled_problem(plain, plan, moments=moments)
    null = problem.objective.from_user(ground.null)
    if left is None:
        theta = problem.objective.zeros() if problem is plain else null
    else:
        theta = problem.objective.from_user(left.theta)
    if plan.solver.stochastic:
        result, _ = descend(model, plan, problem, theta, null, rng)
        return _Left(problem.objective.to_user(result.state.point))
    problem = Problem(_Shared(problem.objective, ground), plan.penalty, model.alpha)
    if left is not None and left.grad is not None:
        _recall(problem, theta, left)

    moved = None
    warm = left is not None and left.widths is not None and not left.cold
    if warm:
        plan.solver.widths = left.widths

    def begun(state, certificate):
        nonlocal moved
        if left is None or left.grad is None or "age" not in state.memory:
            return
        state.memory["age"] = left.age
        if left.model is not None and "model" in state.memory:
            moved = _Moved.of(left, problem)
            state.memory.update(model=moved, sample=left.sample, wait=0)
            if certificate is not None and left.sample >= problem.objective.n_active:
                certificate.model = moved

    result, watch = descend(model, plan, problem, theta, null, rng, begun=begun)
    _stop(result)
    short = warm and model.tol is not None and not model.optimality_ <= model.tol
    if short:
        # Bands that are narrow from the first may hold too few rows to lead anywhere.
        plan.solver.widths = None
        result, watch = descend(model, plan, problem, theta, null, rng)
        _stop(result)
    found = _leave(problem, result.state, watch.certificate, moved)
    found.cold = short or (left is not None and left.cold)
    return found


def _stop(result):
    """Raise what a run was interrupted by: half a path is none."""
    if result.interrupt is not None:
        raise result.interrupt
