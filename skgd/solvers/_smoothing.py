"""Losses with a kink, or a curvature that jumps, by way of smooth ones that come ever nearer."""

import numpy as np

from .._protocols import State
from ._base import Solver
from ._curvature import FACTORED, block_size, passable
from ._lbfgs import LBFGS
from ._line_search import refuse_rates
from ._narrowing import NARROWER, Afresh, AtOnce, Narrowing, RowsOrPairs
from ._newton import Newton, between

__all__ = ["Smoothing"]

_WIDEST = 4.0  # units of the loss: a band that holds nearly all rows
_SOFTEST = 1.3  # the same of softplus functions, which have no edge
_ROUNDED = 0.3  # units of a smooth loss whose smoother one has no band
_WIDER = 5.0  # times the width that a run near this one ended with, to begin with
_NEAR = 0.5  # of the gap allowed that slopes may leave for a width to be the last one
_TRIES = 400  # steps of L-BFGS on a smooth loss itself
_NET_TRIES = 25  # the same with an elastic net
_SHORT_TRIES = 15, 4  # how many steps on it may be short: few columns and no l1 part, else
_SHARE, _PER_COLUMN = 8, 100  # of the rows a first solution is from one, so many a coefficient
_SAMPLE_STEPS = 40
_FAINT, _LEAST = 1e-9, 1e-14  # of F: what smoothing may hide with little, and no, difference


class Smoothing(Solver):
    r"""Newton or L-BFGS steps on smooth losses near the loss, ever nearer to it.

    .. math::

        \ell_\delta(y, \eta) = \delta \log(1 + e^{(1 - y \eta) / \delta}) \quad (hinge),
        \qquad \theta_{t+1} = \theta_t + \text{a step of } F_{\delta_t} \text{ at } \theta_t

    Every kink is rounded by a softplus over a width :math:`\delta` [1]_. Slopes at the optimum of
    :math:`F_\delta` are slopes of the loss, or lie between two of them: they are a dual point
    whose gap goes to zero with :math:`\delta`. A problem is solved until a step would gain less
    than a tenth of what smoothing hides, :math:`|F - F_\delta|`; once its slopes leave at most half
    of the gap that ``tol`` allows it is solved until they are a dual point. Else the next has
    0.4 times the width, and begins where its optimum is foreseen:

    .. math::

        \theta \leftarrow \theta - \left(\nabla^2 F_\delta\right)^{-1} \left(\nabla F_\delta
            + (\delta' - \delta) \, \partial_\delta \nabla F_\delta\right)

    which often is all of a step. Where rows are many, an eighth of them goes first, until others
    gain nothing by what it learns.

    Outputs that do not depend on each other, several targets or one class against the rest, are
    problems of their own. Steps are those of `Newton` where at most 1,500 coefficients depend on
    each other, each with the Hessian at its beginning, of the rows near a kink; beyond, they are
    those of `LBFGS`, and with an l2 penalty those of `Newton` once at most 2,000 rows are near
    one; nothing is foreseen there, and widths fall by 0.2. ``huber`` has a band in which it is a
    parabola: smooth losses below it have wider ones [2]_, which narrow by 0.2 until they are that.
    ``squared_hinge`` is smooth, but rows come and go in its Hessian, which makes steps of `Newton`
    short: there it is the square of a softplus,

    .. math::

        \ell_\delta(y, \eta) = \left(\delta \log(1 + e^{(1 - y \eta) / \delta})\right)^2

    whose slopes are a dual point as well. Where more than 1,500 coefficients of one of these two
    depend on each other, up to 400 steps of `LBFGS` (of an elastic net 25) and 40 of `Newton` on
    the loss itself come first, with several outputs the latter alone; with an l1 part steps go on
    there where more than 500 rows have a curvature, of which those that come and go are few. With
    another smooth loss there is nothing to smooth, and all steps are steps of F.

    Notes
    -----
    For ``hinge``, ``absolute_error``, ``quantile``, ``epsilon_insensitive``, ``huber`` and
    ``squared_hinge`` with a penalty of the elastic-net family or none. A step costs what one of
    `Newton` or `LBFGS` does; one to a foreseen optimum two readings of X and a Hessian of the rows
    near a kink.

    The search chooses all step lengths: ``eta0``, ``learning_rate``, ``clip_norm`` and
    ``clip_value`` must be left at their defaults.

    References
    ----------
    .. [1] C. Chen, O. L. Mangasarian (1996). "A class of smoothing functions for nonlinear and
       mixed complementarity problems". Computational Optimization and Applications 5.
    .. [2] Y. Nesterov (2005). "Smooth minimization of non-smooth functions". Mathematical
       Programming 103.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import Smoothing
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor("absolute_error", solver=Smoothing()).fit(X, y)
    >>> bool(est.optimality_ <= 1e-4)
    True
    """

    needs = frozenset({"smoothed_loss", "lazy"})

    def with_settings(self, settings):
        """Return a copy that follows ``settings``, which may give no rate.

        Parameters
        ----------
        settings : Settings
            From the estimator.

        Returns
        -------
        Smoothing
            One that follows them.

        Raises
        ------
        ValueError
            If a rate, a schedule or a bound on the gradient is given.
        """
        refuse_rates("smoothing", settings)
        return super().with_settings(settings)

    widths = None  # of the bands where a run near this one ended, one for each output

    def init(self, problem, theta, rng):
        """Return the state before the first step.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        theta : ndarray of shape (n_params,)
            Start point; not modified.
        rng : numpy.random.RandomState
            Not used: this solver draws nothing.

        Returns
        -------
        State
            Sets ``value`` and ``violation`` at the start, and in ``memory`` the linear
            predictors ``eta`` of the point, ``runs``, one for each output that depends on no
            other, and ``below``, for each its smooth loss, and point, value and predictors there;
            while steps are steps of F ``grad`` in place of that.
        """
        state = State(theta.copy())
        W, b = problem.objective.split(theta)
        parts = self._parts(problem)
        alone = len(parts) == 1
        state.memory["runs"] = [
            self._first(part, theta if alone else np.append(W[j], b[j]), j, alone)
            for j, part in enumerate(parts)
        ]
        self._show(problem, state)
        return state

    def _parts(self, problem):
        """Return a problem for each output, kept while the whole is the same."""
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] is not problem:
            plain = problem.objective.loss.smoothed(1.0) is None
            parts = [problem] if plain else problem.outputs()
            self._kept = kept = problem, parts, [None] * len(parts)
        return kept[1]

    def _first(self, part, theta, j, alone):
        objective, solver, width, known = part.objective, Newton(), None, 0.0
        loss, wide = objective.loss, block_size(objective) > FACTORED
        if not (wide or loss.smooth):
            solver = Afresh()
        if loss.smoothed(1.0) is not None:
            width = self._widest(objective, theta)
            known, most = self.widths[j] if self.widths is not None else 0.0, width
            if known:
                width = min(width, _WIDER * known)
            width = max(width, loss.band)
        if wide and not passable(part):
            solver = LBFGS()
        elif wide:
            solver = AtOnce() if loss.smooth else RowsOrPairs()
        run = Narrowing(solver, width, width is not None and width <= loss.band)
        if type(solver) is Afresh and not known:
            theta, run.width = self._on_sample(part, width, theta)
        if loss.smooth and width is not None and not known and (wide or not alone):
            net = part.has_l1 and part.has_l2
            run.try_itself(wide, _NET_TRIES if net else _TRIES, _SHORT_TRIES[wide or part.has_l1])
        smooth = self._smooth(part, run)
        run.begin(part, smooth, theta)
        # Where a width is small from the first, too few rows may be near a kink to lead anywhere.
        while type(solver) is Afresh and run.width < most and run.is_far(smooth):
            run.width = min(most, run.width / NARROWER)
            smooth = self._smooth(part, run)
            run.begin(part, smooth, theta)
        return run

    def _on_sample(self, part, width, theta):
        """Return where steps on a sample of the rows are best for others, and the width there."""
        objective = part.objective
        few = objective.n_active // _SHARE
        if few < _PER_COLUMN * block_size(objective) or objective.split(theta)[0].any():
            return theta, width
        sample = part.sample(few)
        others = objective.of_rows(between(objective, sample.objective.n_rows))
        weight = float(others.s.sum())

        def value(point):
            return others.loss_sum(point) / weight + part.penalty_value(point)

        def smoothed(width):
            return sample.with_loss(objective.loss.smoothed(width), part.alpha)

        run, smooth = Narrowing(Afresh(), width), smoothed(width)
        least, best = value(theta), (theta, width)
        run.begin(sample, smooth, theta)
        for _ in range(_SAMPLE_STEPS):
            if not run.served:
                run.advance(sample, smooth)
                continue
            there = value(run.inner.theta)
            if not there < least:
                break  # what is learnt now is true of the sample alone
            least, best = there, (run.inner.theta, run.width)
            last = smooth
            run.narrow(0.0)
            smooth = smoothed(run.width)
            run.go_narrower(sample, last, smooth)
        return best

    @staticmethod
    def _widest(objective, theta):
        """Return a width for where a run begins, which without an intercept may be far off."""
        loss = objective.loss
        unit = float(loss.unit(objective.y, objective.s))
        if loss.smooth and not loss.band:
            return _ROUNDED * unit
        if loss.band:
            widest, slope = _WIDEST, loss.band
        else:
            quantile = getattr(loss, "quantile", None)  # all others are as steep on both sides
            widest, slope = _SOFTEST, 1.0 if quantile is None else min(quantile, 1.0 - quantile)
        return widest * max(unit, objective.loss_sum(theta) / objective.mass / slope)

    def _smooth(self, part, run):
        """Return the problem that a run takes steps on, kept while it is the same."""
        if not run.width:
            return part
        _, parts, smooth = self._kept
        j = next(i for i, one in enumerate(parts) if one is part)
        key = run.width, run.reach
        if smooth[j] is None or smooth[j][0] != key:
            smooth[j] = key, part.with_loss(part.objective.loss.smoothed(*key), part.alpha)
        return smooth[j][1]

    def _show(self, problem, state):
        """Take point, value and violation from the runs."""
        memory, runs = state.memory, state.memory["runs"]
        state.value = sum(run.value for run in runs)
        state.violation = max(run.violation for run in runs)
        state.rate = min(run.inner.rate for run in runs)
        if len(runs) == 1:
            state.point, memory["eta"] = runs[0].point, runs[0].eta
            state.theta = runs[0].inner.theta
        else:
            state.point, state.theta = np.empty_like(state.theta), np.empty_like(state.theta)
            for whole, parts in (
                (state.point, [run.point for run in runs]),
                (state.theta, [run.inner.theta for run in runs]),
            ):
                W, b = problem.objective.split(whole)
                W[:], b[:] = [part[:-1] for part in parts], [part[-1] for part in parts]
            memory["eta"] = np.hstack([run.eta for run in runs])
        if runs[0].width is None:
            inner = runs[0].inner.memory
            memory.update(grad=inner["grad"], model=inner.get("model"))
        else:
            # Those that are foreseen are not solved but at last, or where hardly a digit is left.
            memory["served"] = all(
                run.served and (run.last or not run.foresees or run.hidden <= _FAINT * run.size)
                for run in runs
            )
            self._tell(problem, memory)

    @staticmethod
    def _to_the_end(memory):
        """Return whether this is the last width, whose problems are to be solved."""
        runs = memory["runs"]
        if all(run.solved for run in runs):
            return False
        tol, whole = memory.get("allowed", (0.0, 0.0))
        whole = min(whole, sum(run.size for run in runs)) if whole == np.inf else whole
        if not sum(run.spare for run in runs) <= _NEAR * tol * whole:
            return False
        for run in runs:
            run.served, run.last = run.solved, True
        return True

    @staticmethod
    def _tell(problem, memory):
        """Say what the certificate goes by, and what tells when it is worth asking for."""
        runs, memory["grad"] = memory["runs"], None
        for key in ("below", "lower"):
            memory.pop(key, None)
        if all(run.width == 0.0 for run in runs):
            memory["grad"] = grad = problem.objective.zeros()
            G, g = problem.objective.split(grad)
            for j, run in enumerate(runs):
                G[j], g[j] = run.inner.memory["grad"][:-1], run.inner.memory["grad"][-1]
            return
        memory["below"] = [run.below for run in runs]
        memory["lower"] = sum(run.lower for run in runs)

    def step(self, problem, state):
        """Do one step; the value is that of the best point so far."""
        memory, runs = state.memory, state.memory["runs"]
        parts = self._parts(problem)
        state.t += 1
        state.passes += 1
        moved = []  # to a narrower problem, which is a step
        if all(run.served for run in runs) and not self._to_the_end(memory):
            # Those that are far ahead of the others wait for them.
            most = max((run.hidden for run in runs if not run.ended), default=np.inf)
            for part, run in zip(parts, runs, strict=True):
                if run.at_end:
                    run.go_on()
                elif not run.ended and (run.width == 0.0 or run.hidden >= NARROWER * most):
                    last = self._smooth(part, run)
                    run.narrow(part.objective.loss.band)
                    run.go_narrower(part, last, self._smooth(part, run))
                    moved.append(run)
        for part, run in zip(parts, runs, strict=True):
            if not (run.served or run in moved):
                run.advance(part, self._smooth(part, run))
        self._show(problem, state)
        if runs[0].width is None:
            if "stalled" in runs[0].inner.memory:
                memory["stalled"] = True
        elif all(run.served for run in runs):
            hidden, size = sum(run.hidden for run in runs), sum(run.size for run in runs)
            nothing = hidden <= _LEAST * size and all(run.solved for run in runs)
            nothing = nothing or all(run.ended for run in runs)
            if nothing and not any(run.moves for run in runs):
                memory["stalled"] = True
        return state

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``; the smooth problems go on from where they are."""
        super().restart(state, theta, value)
        state.memory["eta"] = None
