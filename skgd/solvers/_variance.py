"""Stochastic steps whose noise vanishes at the optimum: SAG, SAGA and loopless SVRG."""

import math

import numpy as np

from .. import _kernels
from .._kernels import _reference
from .._protocols import State
from ..schedules import Constant
from ._base import Solver
from ._given import BOUNDS, given, refuse
from ._order import permuted
from ._row_by_row import run_block
from ._working_set import BY_ROWS, restricted_step

__all__ = ["SAG", "SAGA", "SVRG"]

_UNEVEN = 3.0  # ratio of the largest bound of a row to the mean, from which rows are drawn by it
_LONGEST = 4.0  # passes between two snapshots at most
_BACK = 0.4  # of the rate, after one that did not
_SETTLE = 3  # passes of SAGA, before SAG remembers slopes of many points
_NOISE = 4e-15  # rounding of F, relative
_FLAT = 20  # passes inside the rounding, after which the run has stalled
_LEVEL = 3  # the same on the columns that matter, after which all are looked at
_SAFETY = 2.0  # of curvatures that are known at one point only


class _VarianceReduced(Solver):
    """What SAG, SAGA and SVRG share: everything but how a row is remembered."""

    stochastic = True
    needs = frozenset({"smooth_loss", "lazy"})
    _mode = None
    _share = None  # of 1 / L: the rate to begin with
    _apart = False  # whether draws know nothing of each other
    _swings = False  # whether what is remembered lags behind, and F swings about its way down
    _growth, _window = 1.3, 1  # of the rate with a pass; passes that F must not exceed

    def with_settings(self, settings):
        """Return a copy that follows ``settings``; the rate they give may only be constant.

        Parameters
        ----------
        settings : Settings
            From the estimator.

        Returns
        -------
        SAG, SAGA or SVRG
            One that follows them.

        Raises
        ------
        ValueError
            If a schedule, a mean of the iterates or a bound on the gradient is asked for.
        """
        found = given(settings, "learning_rate", *BOUNDS, "average")
        if isinstance(settings.schedule, Constant):
            del found["learning_rate"]
        refuse(
            self._mode,
            "takes steps of one length whose noise vanishes by itself",
            found,
            "solver='sgd' or 'adam', which take it",
        )
        return super().with_settings(settings)

    # -- start ----------------------------------------------------------------------

    def init(self, problem, theta, rng):
        """Return the state before the first step; reads X three times.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        theta : ndarray of shape (n_params,)
            Start point; not modified.
        rng : numpy.random.RandomState
            Draws the rows, pass by pass.

        Returns
        -------
        State
            Sets ``value`` and ``violation`` at the start, and in ``memory`` the linear
            predictors ``eta``, the gradient ``grad`` of the smooth part, the remembered
            ``slopes`` and ``mean``, the ``rate``, and ``rng``.
        """
        state = State(theta.copy())
        state.point = state.theta
        memory = state.memory
        memory["rng"] = np.random.default_rng(rng.randint(2**31 - 1))
        memory.update(flat=0, rate=None, total=None, gained=1.0)
        # A rate of the user's is followed, step by step, on all columns.
        chosen = problem.has_l1 and isinstance(self.settings.eta0, str)
        memory["columns"] = np.inf if chosen else None
        self._look(problem, state)
        memory.update(recent=[state.value], settle=_SETTLE)
        self._bound(problem, state)
        return state

    def _look(self, problem, state, remember=True):
        """Take F and its gradient at the iterate, and, to remember, the slopes of all rows."""
        memory, objective, theta = state.memory, problem.objective, state.theta
        with np.errstate(over="ignore", invalid="ignore"):
            loss_sum, grad, eta = objective.look(theta)
            grad /= objective.mass
            memory["eta"] = eta
            if remember:
                # The mean of slope times centred row: with a metric the gradient of scaled
                # variables is that of the user's, over the scales.
                memory["mean"] = mean = grad.copy()
                if problem.inv_scale is not None:
                    objective.split(mean)[0][:] /= problem.inv_scale
                memory["slopes"] = objective.slopes(eta)[1] * self._factor(objective)
            if problem.has_l2:
                objective.split(grad)[0][:] += problem.l2 * objective.split(theta)[0]
            memory["grad"] = grad
            state.value = problem.value(theta, loss_sum)
            state.violation = problem.violation(theta, grad)
        state.point = theta

    @staticmethod
    def _factor(objective):
        return objective.n_active / objective.mass

    def _bound(self, problem, state):
        """Set the probabilities of rows, and the rate where it is ours to choose."""
        memory, objective = state.memory, problem.objective
        norms = objective.row_norms() + (1.0 if objective.fit_intercept else 0.0)
        curvature = objective.loss.curvature
        with np.errstate(over="ignore", invalid="ignore"):
            if curvature is None:
                bent = objective.curvatures(memory["eta"]).max(axis=1)
                each = _SAFETY * self._factor(objective) * bent * norms
            else:
                each = curvature * self._factor(objective) * objective.s * norms
        active = objective.active()
        each = each[active]
        mean, most = float(each.mean()), float(each.max())
        memory["total"], memory["each"] = None, None
        if not 0.0 < most < math.inf:
            mean = most = 1.0
        elif most > _UNEVEN * mean:
            # Half by what a row may do, half alike: no row is drawn too seldom.
            likely = 0.5 * (each / mean + 1.0)
            memory["total"] = np.cumsum(likely) / len(active)
            memory["each"] = 1.0 / likely
            most = float((each / likely).max())
        if not isinstance(self.settings.eta0, str):
            memory["rate"] = float(self.settings.eta0)
            return
        size, n = self._batch_size(), len(active)
        if size > 1 and n > 1:
            # Expected smoothness of batches drawn without replacement.
            whole = problem.smoothness(state.theta)
            few, many = (n - size) / (size * (n - 1)), n * (size - 1) / (size * (n - 1))
            most = max(few, 0.0) * most + many * min(whole, most)
        memory["rate"] = self._share / most

    def _batch_size(self):
        return 1 if isinstance(self.settings.batch_size, str) else int(self.settings.batch_size)

    # -- steps ----------------------------------------------------------------------

    def step(self, problem, state):
        """Do about a pass of steps; value and violation are those of the point it reaches."""
        memory = state.memory
        if memory["columns"] is not None and self._on_columns(problem, state):
            return state
        if memory["mean"] is None:
            self._look(problem, state)
        theta, before = state.theta, state.value
        kept = {key: memory[key] for key in ("mean", "eta", "slopes", "grad")}
        violation, rate = state.violation, memory["rate"] * state.rate_scale
        state.rate = rate
        order, share = self._draw(problem, memory)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            state.theta = self._run(problem, state, order, share, rate)
        state.t += -(-len(order) // self._batch_size())
        state.passes += 1
        self._look(problem, state, remember=not self._swings)
        recent = memory["recent"]
        if isinstance(self.settings.eta0, str):
            if not state.value <= max(recent) + _NOISE * abs(before):
                # Back to where the pass began, with shorter steps.
                state.theta = state.point = theta
                state.value, state.violation = before, violation
                memory.update(kept)
                memory["rate"] *= _BACK
                if self._swings:
                    memory["settle"] = _SETTLE
                    self._look(problem, state)
            else:
                memory["rate"] *= self._growth
        memory["recent"] = [*recent, state.value][-self._window :]
        fell = min(recent) - state.value > _NOISE * abs(before)
        memory["flat"] = 0 if fell else memory["flat"] + 1
        if memory["flat"] >= _FLAT:
            memory["stalled"] = True
        return state

    def _on_columns(self, problem, state):
        """Go to about the optimum over the columns that matter, and say whether that was lower."""
        memory, inner, bound = state.memory, None, None

        def begin(part, start):
            nonlocal inner, bound
            seed = memory["rng"].integers(2**31 - 1)
            inner = self.init(part, start, np.random.RandomState(seed))
            inner.memory["columns"], bound = None, inner.memory["rate"] * state.rate_scale
            # How far beyond the bound rates may go has been learnt before.
            inner.memory["rate"] = bound * memory["gained"]
            return self, inner

        noise = _NOISE * abs(state.value)
        found = restricted_step(begin, problem, state, noise, BY_ROWS)
        if found is None:
            memory["columns"] = 0  # also where F is as low as these columns let it be
            return False
        memory["flat"] = 0 if found.value < state.value - noise else memory["flat"] + 1
        if memory["flat"] >= _LEVEL:
            memory["columns"] = 0
        memory["gained"] = max(inner.memory["rate"] / bound, 1.0)
        state.theta = state.point = found.theta
        state.value, state.violation = found.value, problem.violation(found.theta, found.grad)
        # What rows remember is of other points: it is taken anew before a pass over all columns.
        memory.update(grad=found.grad, eta=found.eta, mean=None)
        memory.update(recent=[found.value], settle=_SETTLE)
        state.t, state.passes = state.t + inner.t, state.passes + 1
        state.rate = inner.memory["rate"]
        return True

    def _draw(self, problem, memory):
        """Return the rows of the steps to come, and their shares."""
        active, rng = problem.objective.active(), memory["rng"]
        n = len(active)
        shuffle = self.settings.shuffle  # else nothing is drawn
        # Evenly spaced in the cumulated probabilities: each row as often as expected, give or
        # take one.
        at = ((rng.uniform() if shuffle else 0.5) + np.arange(n)) / n
        if shuffle and self._apart:
            at = rng.uniform(size=n)
        if memory["total"] is not None:
            rows = np.searchsorted(memory["total"], at * memory["total"][-1], side="right")
        else:
            rows = (at * n).astype(np.intp)
        rows = np.minimum(rows, n - 1)
        if shuffle and not self._apart:
            rows = permuted(rng, rows)
        share = np.ones(n) if memory["each"] is None else memory["each"][rows]
        return active[rows], share

    def _run(self, problem, state, order, share, rate):
        """Return where the steps lead."""
        memory, objective = state.memory, problem.objective
        theta = objective.to_user(state.theta)
        W, b = objective.split(theta)
        d = objective.n_features
        inv = np.ones(d) if problem.inv_scale is None else problem.inv_scale
        pull = np.broadcast_to(problem.l1 * inv, d).astype(float) if problem.has_l1 else None
        metric = inv * inv, objective.shift, np.broadcast_to(problem.l2, d).astype(float), pull
        mean, mean_slope = objective.split(memory["mean"].copy())
        slopes = memory["slopes"] if self._mode == "svrg" else memory["slopes"].copy()
        mode = self._mode
        if self._swings and memory["settle"] > 0:
            # All slopes of one point lag behind alike, and F would swing far beyond its start.
            mode, memory["settle"] = "saga", memory["settle"] - 1
        args = (order, share, self._batch_size(), mode, rate, W, b, slopes, mean, mean_slope)
        args += metric, self._factor(objective), float(objective.n_active)
        args += (objective.fit_intercept,)
        run_block(objective, _kernels.sag_block, _reference.sag_block, args)
        if self._swings:
            memory["slopes"] = slopes
            memory["mean"] = np.concatenate([mean.ravel(), mean_slope])
        return objective.from_user(theta)

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``; all slopes are taken anew."""
        super().restart(state, theta, value)
        state.memory.update(mean=None, flat=0, recent=[value], settle=_SETTLE)


class SAG(_VarianceReduced):
    r"""Stochastic average gradient: steps along the mean of the last slopes of all rows.

    .. math::

        \bar g \leftarrow \bar g + \tfrac1n (g_i - h_i) z_i, \qquad h_i \leftarrow g_i, \qquad
        \theta \leftarrow \mathrm{flow}_{\gamma} (\theta; \bar g)

    with :math:`g_i` the slope of the row drawn, :math:`h_i` the one that was remembered, and the
    flow along :math:`\bar g` and the penalty for the time :math:`\gamma`, solved exactly.

    Notes
    -----
    An iteration is a pass of steps on rows in random order, and a look at F and the slopes
    of all rows: these are remembered, and the certificate stops the run. It costs about three
    readings of X, for CSR rows a few operations an entry. Memory: three arrays of shape
    ``(n_rows, n_outputs)`` and four vectors of length ``n_params``.

    Rows of large norm are drawn more often where norms differ much. The rate begins from the
    bound on the curvature of the rows, grows by three tenths with each pass that lowers F, and
    falls to two fifths after one that does not, which is undone. With a ``batch_size`` b the bound
    is the expected smoothness of b rows [2]_. A constant rate of the user's is followed as it is.

    With an l1 part on at least 128 columns, and a rate of its own, an iteration goes first to
    about the optimum over a working set, as one of `LBFGS` but by its own steps, on at most half
    of the columns: up to 40 passes over a copy of these, which together read about what four
    passes over all columns do. Where more than four fifths would leave zero there is none.

    References
    ----------
    .. [1] M. Schmidt, N. Le Roux, F. Bach (2017). "Minimizing finite sums with the stochastic
       average gradient". Mathematical Programming 162.
    .. [2] N. Gazagnadou, R. M. Gower, J. Salmon (2019). "Optimal mini-batch and step sizes for
       SAGA". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import SAG
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=SAG(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    _mode, _share, _apart = "sag", 1.0 / 3.0, True
    _swings, _growth, _window = True, 1.0, 10


class SAGA(_VarianceReduced):
    r"""SAG without its bias: a row counts with its whole change where it is drawn.

    .. math::

        \theta \leftarrow \mathrm{flow}_{\gamma} \left(\theta - \gamma q_i (g_i - h_i) z_i;
        \bar g\right), \qquad \bar g \leftarrow \bar g + \tfrac1n (g_i - h_i) z_i, \qquad
        h_i \leftarrow g_i

    with :math:`q_i = 1 / (n p_i)` for a row that is drawn with probability :math:`p_i`, and the
    other letters as of `SAG` [1]_.

    Notes
    -----
    As of `SAG`, rates and costs too.

    References
    ----------
    .. [1] A. Defazio, F. Bach, S. Lacoste-Julien (2014). "SAGA: a fast incremental gradient
       method with support for non-strongly convex composite objectives". NeurIPS.
    .. [2] N. Gazagnadou, R. M. Gower, J. Salmon (2019). "Optimal mini-batch and step sizes for
       SAGA". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import SAGA
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=SAGA(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    _mode, _share = "saga", 1.0 / 3.0


class SVRG(_VarianceReduced):
    r"""Stochastic variance-reduced gradient, without an outer loop to set.

    .. math::

        \theta \leftarrow \mathrm{flow}_{\gamma} \left(\theta - \gamma q_i (g_i - h_i) z_i;
        \bar g\right)

    where :math:`h_i` are the slopes at a snapshot and :math:`\bar g` its gradient [1]_. After
    each step a new snapshot is taken with probability :math:`1 / n` [2]_, so that there is no
    length of an inner loop to choose.

    Notes
    -----
    An iteration is what lies between two snapshots, n steps in the mean and 4 n at most; F is that
    of the snapshot. Otherwise as of `SAG`.

    References
    ----------
    .. [1] R. Johnson, T. Zhang (2013). "Accelerating stochastic gradient descent using
       predictive variance reduction". NeurIPS.
    .. [2] D. Kovalev, S. Horvath, P. Richtarik (2020). "Don't jump through hoops and remove
       those loops: SVRG and Katyusha are better without the outer loop". ALT.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import SVRG
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=SVRG(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    _mode, _share = "svrg", 1.0 / 3.0

    def _draw(self, problem, memory):
        if not self.settings.shuffle:
            return super()._draw(problem, memory)
        n = problem.objective.n_active
        steps = int(min(memory["rng"].geometric(1.0 / n), _LONGEST * n)) * self._batch_size()
        parts = [super(SVRG, self)._draw(problem, memory) for _ in range(-(-steps // n))]
        order, share = (np.concatenate(part)[:steps] for part in zip(*parts, strict=True))
        return order, share
