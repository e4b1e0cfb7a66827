"""One row a step with several constant rates at once, mixed by how well each predicted."""

import math

import numpy as np

from ..rules import SGD
from ._base import Solver
from ._stochastic import Stochastic

__all__ = ["Hedge"]

_RATES = 8  # runs, each with a third of the rate of the one before
_FACTOR = 3.0
_PIECE = 8  # rows between two looks at how well each run predicts, in the first pass
_HALF_LIFE = 1000.0  # rows after which a loss counts half
_TEMPERATURE = 10.0  # lost log-likelihood that divides a weight by e
_LOST = 20.0  # a run that lost so many times more than the best goes on from the mixture


class Hedge(Solver):
    r"""Stochastic gradient descent at eight rates, averaged by progressive loss.

    Run k does steps on one row each at the constant rate :math:`\gamma_k`. The rows of a pass
    are predicted by all runs before they are learnt (in the first pass every 8 rows), and
    with :math:`\ell_{jk}` the sum of the losses of run k on the :math:`n_j` rows predicted,

    .. math::

        L_k \leftarrow 2^{-n_j / 1000} L_k + \ell_{jk}, \qquad
        p_k \propto e^{-L_k / (10 u)}, \qquad
        \theta = \sum_k p_k \, \theta_k

    with :math:`u` = 1 for classification and twice the mean loss of the best run else, so
    that :math:`L_k / u` is a log-likelihood. A convex loss of the mean is no more than the
    mean of the losses.

    Parameters
    ----------
    share : float, default=1.0
        Largest rate, as a multiple of the inverse of the smoothness of a typical row.
        Positive.

    Notes
    -----
    Rates do not fall, so that a stream that changes is followed; on rows that do not
    change the slowest runs have the least noise and get the weight. A pass costs eight of
    one row a step, and the memory is eight vectors of length ``n_params``. The l1 part is
    exact in no run and the mixture has fewer zeros than each.

    References
    ----------
    .. [1] Y. Freund, R. E. Schapire (1997). "A decision-theoretic generalization of on-line
       learning and an application to boosting". J. Computer and System Sciences 55.
    .. [2] T. van Erven, W. M. Koolen (2016). "MetaGrad: multiple learning rates in online
       learning". NeurIPS.
    """

    streams = True
    stochastic = True

    def __init__(self, share=1.0):
        self.share = share

    def check(self):
        """Raise ValueError where ``share`` is not positive."""
        if not (self.share > 0 and math.isfinite(self.share)):
            raise ValueError(f"share must be positive; got {self.share}.")

    def certifies(self, problem):
        """Never: a single gradient of all rows is not among the steps."""
        return False

    def batch_size(self, problem):
        """Return 1: every run does a step for each row."""
        return 1

    def first_rate(self, problem, theta):
        """Return the largest rate."""
        objective = problem.objective
        norms = float(np.mean(objective.row_norms())) + 1.0
        return self.share / ((objective.loss.curvature or 1.0) * norms)

    def _inner(self):
        return Stochastic(SGD()).with_settings(self.settings)

    def init(self, problem, theta, rng):
        """Return the state before the first step.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        theta : ndarray of shape (n_params,)
            Where all runs start; not modified.
        rng : numpy.random.RandomState
            Draws the order of rows, pass by pass.

        Returns
        -------
        State
            Sets ``runs``, ``lost``, ``counted``, ``rng`` and ``eta0`` in ``memory``.
        """
        state = self._inner().blank(theta, self.first_rate(problem, theta), 1)
        state.memory["rng"] = np.random.default_rng(rng.randint(2**31 - 1))
        self._forget(problem.objective.to_user(theta), state)
        state.value = problem.value(theta)
        return state

    @staticmethod
    def _forget(user_theta, state):
        # In the user's variables: those of the objective change as a stream goes on.
        state.memory["runs"] = np.tile(user_theta, (_RATES, 1))
        state.memory["lost"], state.memory["counted"] = np.zeros(_RATES), 0.0

    def step(self, problem, state):
        """Do one pass over the rows; value is that of the point it reaches."""
        objective, memory, inner = problem.objective, state.memory, self._inner()
        order = inner._order(problem, state)
        if memory["runs"] is None:
            self._forget(objective.to_user(state.theta), state)
        runs = np.array([objective.from_user(run) for run in memory["runs"]])
        rates = memory["eta0"] * state.rate_scale / _FACTOR ** np.arange(_RATES)
        with np.errstate(over="ignore", invalid="ignore"):
            # Rows of one call are alike: what is learnt from some of them says how well a run
            # predicts the others, not how well the next call. Only the first has no before.
            size = _PIECE if state.passes == 0 else max(1, len(order))
            for start in range(0, len(order), size):
                piece = order[start : start + size]
                self._judge(problem, memory, runs, piece)
                self._restart_lost(objective, memory, runs, self._weights(objective, memory))
                for run, rate in zip(runs, rates, strict=True):
                    one = inner.blank(run, rate, 1)
                    inner.run_pass(problem, one, piece)
                    run[:] = one.theta
                state.t += len(piece)
            weights = self._weights(objective, memory)
            theta = weights @ np.where(weights[:, None] > 0, runs, 0.0)
            memory["runs"] = np.array([objective.to_user(run) for run in runs])
            state.theta = state.point = theta
            state.passes += 1
            state.rate = float(weights @ rates)
            state.value = problem.value(theta)
        return state

    def _judge(self, problem, memory, runs, piece):
        (batch,) = problem.objective.batches(len(piece), piece)
        keep = 0.5 ** (len(piece) / _HALF_LIFE)
        losses = np.array([problem.loss_grad(run, batch)[0] for run in runs]) * len(piece)
        finite = np.isfinite(losses)
        if not finite.all():
            losses[~finite] = 10.0 * losses[finite].max(initial=problem.value(runs[-1]))
        memory["lost"] = keep * memory["lost"] + losses
        memory["counted"] = keep * memory["counted"] + len(piece)

    @staticmethod
    def _unit(objective, memory):
        """Return the loss that divides a weight by e."""
        if "classification" in objective.loss.kinds and "regression" not in objective.loss.kinds:
            return _TEMPERATURE
        mean = float(memory["lost"].min()) / max(memory["counted"], 1.0)
        return _TEMPERATURE * max(2.0 * mean, 1e-300)

    def _weights(self, objective, memory):
        lost = memory["lost"]
        weights = np.exp(-(lost - lost.min()) / self._unit(objective, memory))
        return weights / weights.sum()

    def _restart_lost(self, objective, memory, runs, weights):
        gone = weights < math.exp(-_LOST)
        if gone.any():
            runs[gone] = weights[~gone] @ runs[~gone] / weights[~gone].sum()
            # As bad as may be, and no worse: a run that overflowed can come back.
            most = memory["lost"].min() + _LOST * self._unit(objective, memory)
            memory["lost"] = np.minimum(memory["lost"], most)

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta`` and forget the runs."""
        super().restart(state, theta, value)
        state.memory["runs"] = None
