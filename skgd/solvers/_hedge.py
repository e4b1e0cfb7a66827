"""Steps of one row at several rates at once, and weights for what each has predicted."""

import copy
import math

import numpy as np

from .._protocols import State
from ..rules import SGD
from ._few_rows import Mixture
from ._given import BOUNDS, RATES, STEPS, given, refuse
from ._late import LateMixture
from ._order import permuted
from ._row_by_row import RowByRow
from ._stochastic import Stochastic

__all__ = ["Hedge"]

_RATES = 1.0, 0.1, 0.01, 0.001  # over the curvature of the loss
_COLUMN = np.array(_RATES)[:, None]
_TRUST = 0.025  # in a row's loss, of that of the intercept alone
_SHARE = 0.01  # of the weights, that all rates have alike: what was bad may become good
_MOST = 500.0  # losses of the intercept alone, a call's at most


class Hedge(RowByRow):
    r"""One model for each of several rates, weighted by how well it predicted new rows.

    .. math::

        w_k \leftarrow w_k - \frac{\rho_k}{h (1 + \rho_k s_i \|z_i\|^2)} \, s_i g_i \, z_i, \qquad
        p_k \propto p_k \exp\left(-\eta \sum_i \ell_i(w_k) / \ell_0\right), \qquad
        w = \sum_k p_k w_k

    with :math:`z_i` the centred, scaled row and a 1, :math:`h` the curvature of the loss and
    :math:`\rho_k` four rates, 1 to 0.001, a factor of ten apart [1]_, [3]_. The losses are those
    of the rows of a call before any of them is learnt, so that the weights know how far ahead
    the model is asked to predict. A step is never longer than one to the row's own optimum: no
    rate diverges.

    In the weights, :math:`\eta` is 0.025, :math:`\ell_0` is the mean loss of the intercept alone
    (of zero for classes), and each call gives a hundredth back to all rates alike [2]_: what was
    bad may become good again. The loss is convex, so that the mixture is no worse than the mean
    of the models.

    Notes
    -----
    For streams, whose best model moves: no rate falls to zero. In ``fit`` a pass counts as a call,
    and the run ends near the optimum, not at it; other solvers find it.

    The l2 penalty is that of F, but on columns that spread less than one that of a standardised
    column: one that spreads by a hundredth would else be held to zero by the default ``alpha``.
    An l1 part, rates, schedules, averages and bounds on the gradient are refused.

    A call costs four passes of ``sgd`` and four sums of losses. It holds ten vectors of length
    ``n_params``; small calls on sparse rows four more, for what is late.

    References
    ----------
    .. [1] Y. Freund, R. E. Schapire (1997). "A decision-theoretic generalization of on-line
       learning and an application to boosting". Journal of Computer and System Sciences 55.
    .. [2] M. Herbster, M. K. Warmuth (1998). "Tracking the best expert". Machine Learning 32.
    .. [3] T. van Erven, W. M. Koolen (2016). "MetaGrad: multiple learning rates in online
       learning". NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgd import GDClassifier
    >>> from skgd.solvers import Hedge
    >>> X, y = load_digits(return_X_y=True)
    >>> est = GDClassifier(solver=Hedge(), random_state=0)
    >>> for start in range(0, 1700, 100):
    ...     part = slice(start, start + 100)
    ...     est = est.partial_fit(X[part], y[part], classes=range(10))
    >>> bool(est.score(X[1700:], y[1700:]) > 0.8)
    True
    """

    needs = frozenset({"lazy", "no_l1"})
    # Arrays in the state's memory whose last axis is that of ``theta``.
    points = ("models",)

    def with_settings(self, settings):
        """Return a copy that follows ``settings``, which may give no rate.

        Parameters
        ----------
        settings : Settings
            From the estimator.

        Returns
        -------
        Hedge
            One that follows them.

        Raises
        ------
        ValueError
            If a rate, a schedule, a batch size, a mean of the iterates or a bound on the
            gradient is given.
        """
        refuse(
            "hedge",
            "tries rates of its own, a row at a time",
            given(settings, *RATES, *STEPS, *BOUNDS),
            "solver='sgd', which takes it",
        )
        return super().with_settings(settings)

    def init(self, problem, theta, rng):
        """Return the state before the first step.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        theta : ndarray of shape (n_params,)
            Start point; not modified.
        rng : numpy.random.RandomState
            Draws the order of rows, pass by pass.

        Returns
        -------
        State
            Sets in ``memory`` the ``models`` and their ``weights``, the curvature ``bend`` and the
            loss ``null`` of the intercept alone, and ``rng``.
        """
        state = State(theta.copy())
        state.point = state.theta
        objective, count = problem.objective, len(_RATES)
        if "regression" not in objective.loss.kinds and not objective.split(theta)[0].any():
            # The first rows may be of one class, whose intercept is too sure of it.
            theta = state.theta = state.point = objective.zeros()
        state.memory.update(
            rng=np.random.default_rng(rng.randint(2**31 - 1)),
            models=np.tile(theta, (count, 1)),
            weights=np.full(count, 1.0 / count),
            start=state.theta.copy(),
            bend=None,
            null=None,
            eta0=1.0,
            **self.nothing_kept,
        )
        self._measure(objective, state)
        state.value = problem.value(theta)
        return state

    @staticmethod
    def _measure(objective, state):
        """Set the curvature and the loss that rates and weights are relative to."""
        loss, memory = objective.loss, state.memory
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            total, slopes = objective.slopes(objective.linear(memory["start"]))
            mass = float(objective.s.sum())
            bend = loss.curvature
            if bend is None:
                unit = float(loss.unit(objective.y, objective.s))
                square = float((slopes * slopes).sum()) / max(len(slopes), 1)
                bend = math.sqrt(square) * len(slopes) / mass / unit if mass > 0.0 else math.nan
        memory["bend"] = bend if 0.0 < bend < math.inf else 1.0
        null = total / mass if mass > 0.0 else math.nan
        memory["null"] = null if 0.0 < null < math.inf else 1.0

    def set_rate(self, problem, state):
        """Take curvature and loss anew while few rows are known."""
        state.memory["start"] = state.theta
        self._measure(problem.objective, state)

    # -- steps ------------------------------------------------------------------------

    def step(self, problem, state):
        """Weigh the models by the rows, then learn these; value is that of the mixture."""
        memory, objective = state.memory, problem.objective
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            if state.t > 0:
                losses = np.array([objective.loss_sum(theta) for theta in memory["models"]])
                losses /= memory["null"] * objective.mass / max(objective.n_active, 1)
                memory["weights"] = self.weighed(losses, memory["weights"])
            else:
                memory["models"][:] = state.theta
            learner = Stochastic(SGD()).with_settings(self.settings)
            order = objective.active()
            if self.settings.shuffle:
                order = permuted(memory["rng"], order)
            norms = objective.row_norms()[order] + (1.0 if objective.fit_intercept else 0.0)
            norms *= objective.s[order] * (objective.n_active / objective.mass)
            mild = self.mild(problem)
            for k, rates in enumerate(self.rates_of(state, norms)):
                memory["models"][k] = learner.moved(mild, memory["models"][k], order, rates)
            self._mix(state)
        state.t += len(order)
        state.passes += 1
        state.rate = self.mean_rate(state, memory["weights"])
        self._look(problem, state)
        return state

    @staticmethod
    def weighed(losses, weights):
        """Return weights after ``losses``, in units of that of the intercept alone."""
        # Plain numbers: of four, arrays would cost more than what is done with them.
        losses = [one if math.isfinite(one) else math.inf for one in losses]
        least = min(losses)
        if least == math.inf:
            return weights
        kept = [
            math.exp(-_TRUST * min(one - least, _MOST)) * weight
            for one, weight in zip(losses, weights.tolist(), strict=True)
        ]
        factor = (1.0 - _SHARE) / sum(kept)
        return np.array([factor * one + _SHARE / len(kept) for one in kept])

    @staticmethod
    def rates_of(state, norms):
        """Return the rates of all rows, for each model.

        Parameters
        ----------
        state : State
            Knows the curvature.
        norms : ndarray of shape (n_rows,)
            Squared, with the 1 of the intercept, times the weight.

        Returns
        -------
        ndarray of shape (n_models, n_rows)
            Rates.
        """
        return _COLUMN * state.rate_scale / (state.memory["bend"] * (1.0 + _COLUMN * norms))

    @staticmethod
    def block_terms(state, factor):
        """Return what `skgd._kernels.hedge_block` needs to weigh models and set rates.

        Parameters
        ----------
        state : State
            Knows the curvature and the loss of the intercept alone.
        factor : float
            Of all rates.

        Returns
        -------
        tuple
            Of the rates over the curvature, this, the factor, the loss, and the constants of
            the weights.
        """
        memory = state.memory
        scaled = state.rate_scale * factor
        return _RATES, memory["bend"], scaled, memory["null"], _TRUST, _SHARE, _MOST

    @staticmethod
    def mean_rate(state, weights):
        """Return the rate of an average row, over the models."""
        return float(weights @ _COLUMN[:, 0]) / state.memory["bend"] * state.rate_scale

    @staticmethod
    def mild(problem):
        """Return the problem with an l2 part that no column feels more than a standardised one."""
        if not problem.has_l2 or problem.inv_scale is None:
            return problem
        mild = copy.copy(problem)
        mild.l2 = np.minimum(problem.l2, problem.decay)
        return mild

    @staticmethod
    def by_loss(loss):
        """Return whether the loss alone tells how steps went.

        The penalty, of which steps feel that of `mild`, may rise by far. But where slopes do not
        grow with residuals, one odd target may make rates too large that only the penalty shows.

        Parameters
        ----------
        loss : Loss
            Of the rows.

        Returns
        -------
        bool
            False for losses of residuals with a kink.
        """
        return loss.smooth or "regression" not in loss.kinds

    def judged(self, problem, theta, value):
        """Return the loss, or F where `by_loss` says so."""
        if not self.by_loss(problem.objective.loss):
            return value
        return value - problem.penalty_value(theta)

    def few_rows(self, problem, state):
        """Return what steps on the rows of small calls, as `Solver.few_rows` says."""
        if problem.objective.memory() is None:
            return None
        return (LateMixture if problem.objective.sparse else Mixture)(self, problem, state)

    @staticmethod
    def _mix(state):
        models, weights = state.memory["models"], state.memory["weights"]
        good = np.isfinite(models).all(axis=1)
        if good.any():
            share = weights * good
            state.theta = (share / share.sum()) @ np.where(good[:, None], models, 0.0)
            # A model that overflowed goes on from the mixture.
            models[~good] = state.theta
        state.point = state.theta

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``, and all models with it."""
        super().restart(state, theta, value)
        state.memory["models"][:] = theta
