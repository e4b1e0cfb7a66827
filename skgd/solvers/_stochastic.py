"""Any update rule on batches of rows: one row, a mini-batch, or all rows a step."""

import math
from itertools import pairwise

import numpy as np

from .. import _kernels
from .._kernels import _reference
from .._protocols import RateContext, State
from ..rules import SGD
from ..schedules import AutoDecay, Constant
from ._base import Solver, wants_scaling
from ._batch_size import kurtosis, suitable_size, tailed_size
from ._few_rows import Batches, Singly, one_row_terms, received_of
from ._late import LateSingly
from ._order import permuted
from ._pilot import MANY_ROWS, hold_against_mean, pilot_rates

__all__ = ["Stochastic"]

_SPAN = 512, 8192  # rows after which a rate of our own begins to fall
_SPAN_STEPS = 64  # and steps, where the point is a mean
_LATE = 3.0  # the iterate of step t has weight t**3 in a mean of our own
_PIECES = 16  # of a pass, after each of which the iterate joins that mean
_PIECE = 8, 64  # sums of vectors worth of work, and rows, that a piece has at least
_CONSTANT = 2**62  # steps: never, for the pilot's short runs
_WORTH_READING = 2**16  # stored entries from which a second reading of them is worth saving


class Stochastic(Solver):
    r"""Passes over the rows in batches, each batch moved by a rule.

    .. math::

        g_t = \frac{1}{|B_t|} \sum_{i \in B_t} s_i \nabla \ell_i(\theta_t)
              + \alpha \nabla R_2(W_t), \qquad
        \theta_{t+1} = \mathrm{prox}_{\gamma_t M_t \alpha R_1}
                       \left(\theta_t - \gamma_t m_t(g_t)\right)

    with :math:`m_t` the move and :math:`M_t` the metric of the rule, :math:`R_2` the l2
    part and :math:`R_1` the rest of the penalty.

    Parameters
    ----------
    rule : Rule
        How a gradient becomes a move.

    Notes
    -----
    A pass reads every row once in the order drawn, and once more in storage order for F.
    With one row a step, where that reading would be much of the time, F of a point is found
    in the next pass while its rows are in cache; that pass is thrown away if a callback
    stops the run or changes the rate.
    With ``eta0="auto"``, ``learning_rate="auto"`` and no penalty but l2 the point is a mean of
    the iterates in which that of step t has the weight :math:`t^3`, after [1]_: four fifths
    of it come from the last third of the steps. It takes away most of the noise, so the
    rates may be larger and fall more slowly. It costs one more vector, and up to 16 sums of
    vectors a pass. In a `fit` of at least 20 passes rates go to nothing over the last two fifths,
    and the last iterate is taken where it is better than the mean. Where nothing ends it before,
    of 1,024 rows or more, rates of a rule whose moves follow the size of gradients are doubled
    where the iterate is better after 2, 4, 8, 16 or 32 passes of the first half; of 8,192 rows or
    more also where it is hardly worse, early on, and then those of adaptive rules too.
    A rule holds its vectors of length ``n_params``; the order is one vector of length n.

    References
    ----------
    .. [1] O. Shamir, T. Zhang (2013). "Stochastic gradient descent for non-smooth
       optimization: convergence results and optimal averaging schemes". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import Adam, Stochastic
    >>> X, y = load_diabetes(return_X_y=True)
    >>> by_rule = GDRegressor(solver=Adam(), random_state=0).fit(X, y)
    >>> by_solver = GDRegressor(solver=Stochastic(Adam()), random_state=0).fit(X, y)
    >>> bool((by_rule.coef_ == by_solver.coef_).all())
    True
    """

    streams = True
    stochastic = True

    def __init__(self, rule):
        self.rule = rule

    @property
    def needs(self):
        """What the rule asks of the penalty."""
        return frozenset({"separable"}) if self.rule.adaptive else frozenset()

    def check(self):
        """Raise ValueError where a hyper-parameter of the rule is out of range."""
        self.rule.check()

    def certifies(self, problem):
        """Never: a single gradient of all rows is not among the steps."""
        return False

    # -- start ----------------------------------------------------------------------

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
            Sets the rule's ``vectors`` and ``scalars``, ``eta0``, ``batch_size``,
            ``average`` and ``rng`` in ``memory``.
        """
        state = self.blank(theta, math.nan, self._first_size(problem, theta))
        # A generator of the run's own: a saved state then shares nothing with the caller's.
        state.memory["rng"] = np.random.default_rng(rng.randint(2**31 - 1))
        # The rate falls as rows go by, not as passes do: the noise of a pass over many
        # rows is that of many passes over few.
        rows = int(np.clip(problem.objective.n_active, *_SPAN))
        size, active = state.memory["batch_size"], problem.objective.n_active
        span = -(-rows // size)
        late = self.averages_late(problem)
        # A mean takes away noise, so that batches of many rows need not decay so soon.
        state.memory["span"] = max(span, min(_SPAN_STEPS, active // size)) if late else span
        state.memory["late"] = late
        if self.settings.average or state.memory["late"]:
            state.memory["average"] = np.zeros_like(state.theta)
        state.value = problem.value(theta)
        self.set_rate(problem, state)
        return state

    def averages_late(self, problem):
        """Whether the point may be a mean of late iterates, of our own accord."""
        settings = self.settings
        # With a rate of our own, and where no exact zeros of the coefficients would be lost.
        ours = isinstance(settings.eta0, str) and settings.schedule is None
        return ours and not (settings.average or problem.has_l1 or problem.custom)

    def _first_size(self, problem, theta):
        """Return `batch_size`, or more rows where a few have most of the gradient."""
        size, rule, objective = self.batch_size(problem), self.rule, problem.objective
        if not isinstance(self.settings.batch_size, str) or rule.most_tail == math.inf:
            return size
        slopes = objective.slopes(objective.linear(theta))[1]
        tailed = kurtosis(slopes) >= rule.most_tail
        return max(size, tailed_size(objective.n_active)) if tailed else size

    def set_rate(self, problem, state):
        """Set ``eta0`` in ``memory``: the user's, or one from the data."""
        memory = state.memory
        if not isinstance(self.settings.eta0, str):
            memory["eta0"] = float(self.settings.eta0)
        elif wants_scaling(self.settings):
            late = memory["late"]
            memory["stream_eta0"], of_mean = pilot_rates(
                self, problem, state.theta, late, memory["batch_size"]
            )
            memory["eta0"] = memory["mean_eta0"] = of_mean if late else memory["stream_eta0"]
        else:  # a schedule that gives rates of its own needs none from the data
            memory["eta0"] = math.nan

    def follow(self, state):
        """Prepare ``state`` for rows that change: a mean of late iterates becomes the iterate."""
        # It would lag behind, and few rows may be learnt by heart at rates that later ones do
        # not bear: rates are lower from here on and fall faster.
        memory = state.memory
        memory.pop("before", None)
        if memory["late"]:
            if memory["n_averaged"] > 0:
                state.theta = memory["average"]
            state.point = state.theta
            memory.update(late=False, average=None, n_averaged=0, eta0=memory["stream_eta0"])

    def blank(self, theta, eta0, batch_size, late=False):
        """Return a state at ``theta`` with an empty memory, whose rate stays constant."""
        state = State(theta.copy())
        state.point = state.theta
        state.memory.update(
            eta0=eta0,
            stream_eta0=math.inf,
            batch_size=batch_size,
            span=_CONSTANT,
            late=late,
            average=np.zeros_like(theta) if late else None,
            n_averaged=0,
        )
        self._clear(state)
        return state

    def _clear(self, state):
        for name in ("received", "before"):
            state.memory.pop(name, None)
        state.memory["vectors"], state.memory["scalars"] = self.rule.init(state.theta, np)

    def batch_size(self, problem):
        """Return the rows of a step: what the user said, or what suits the data."""
        objective = problem.objective
        stored = objective.n_stored / objective.n_rows
        return self.rows_a_step(objective.n_active, stored, objective.n_features)

    def rows_a_step(self, n_rows, stored, n_features):
        """Return the rows of a step where so many rows have so many entries each."""
        size = self.settings.batch_size
        if not isinstance(size, str):
            return int(size)
        if type(self.rule) is SGD:
            return 1
        return suitable_size(self.rule, n_rows, stored, n_features)

    # -- steps ----------------------------------------------------------------------

    def step(self, problem, state):
        """Do one pass over the rows; value is that of the point it reaches."""
        ahead, state.ahead = state.ahead, None
        with np.errstate(over="ignore", invalid="ignore"):
            if ahead is not None and ahead.rate_scale == state.rate_scale:
                ahead.more = state.more
                state = ahead
            else:
                self._pass(problem, state)
            if self.settings.violation:
                state.value, grad = problem.value_grad(state.point)
                state.violation = problem.violation(state.point, grad)
            elif state.more and self._looks_ahead(problem, state):
                state.ahead = state.copy()
                loss = self._pass(problem, state.ahead, state.point)
                state.value = problem.value(state.point, loss)
            else:
                state.value = problem.value(state.point)
        return state

    def _pass(self, problem, state, still=None):
        """Do a pass; return the sum of the losses at ``still``, if that is a point."""
        loss = self.run_pass(problem, state, self._order(problem, state), still)
        memory = state.memory
        state.point = memory["average"] if memory["n_averaged"] > 0 else state.theta
        state.passes += 1
        if memory["late"] and self.settings.cools:
            bold, horizon = self._bold(problem), self.settings.horizon
            hold_against_mean(self.rule, problem, state, horizon, bold)
        return loss

    def _bold(self, problem):
        # A few rows are learnt by heart: what is noise there does not tell itself apart.
        return self.settings.sure and problem.objective.n_active >= MANY_ROWS

    def _order(self, problem, state):
        order = problem.objective.active()
        return permuted(state.memory["rng"], order) if self.settings.shuffle else order

    def _looks_ahead(self, problem, state):
        return self._one_row(problem, state) and problem.objective.n_stored > _WORTH_READING

    def _one_row(self, problem, state):
        plain = state.memory["batch_size"] == 1 and type(self.rule) is SGD and self._unclipped()
        return plain and self._compiled(problem) is not None

    def run_pass(self, problem, state, order, still=None):
        """Move ``state.theta`` along the rows of ``order``.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        state : State
            Changed in place.
        order : ndarray of intp
            Row numbers.
        still : ndarray of shape (n_params,), default=None
            A point whose loss on these rows is wanted; for one row a step only.

        Returns
        -------
        float or None
            Sum of the losses at ``still``.
        """
        memory = state.memory
        if not memory["late"]:
            return self._piece(problem, state, order, memory["average"], still)
        # A few iterates of each pass make as good a mean as all of them: their noise is
        # nearly independent, and what they lag behind is the same.
        size, total = memory["batch_size"], 0.0
        n_steps = -(-len(order) // size)
        # Where rows are sparse and few beside the columns, the sums would be most of the work.
        worth = problem.objective.n_stored // max(1, problem.objective.n_features)
        worth = (worth + (n_steps if size > 1 else 0)) // _PIECE[0]
        pieces = min(n_steps, max(2, min(worth, len(order) // _PIECE[1], _PIECES)))
        cuts = np.linspace(0, n_steps, pieces + 1).astype(int)
        for first, last in pairwise(cuts.tolist()):
            loss = self._piece(problem, state, order[first * size : last * size], None, still)
            total += 0.0 if loss is None else loss
            before = memory["n_averaged"]
            memory["n_averaged"] += last - first
            share = 1.0 - (before / memory["n_averaged"]) ** (_LATE + 1.0)
            memory["average"] += share * (state.theta - memory["average"])
        return None if still is None else total

    def _piece(self, problem, state, order, average, still):
        """Move ``state.theta`` along consecutive rows at rates of one call of the schedule."""
        loss = None
        n_steps = -(-len(order) // state.memory["batch_size"])
        rates = self.rates(problem, state, n_steps)
        average_from = int(self.settings.average)
        compiled = self._compiled(problem)
        if compiled is None:
            self._vector_pass(problem, state, order, rates, average, average_from)
        elif self._one_row(problem, state):
            loss = self._one_row_pass(problem, state, order, rates, average, average_from, still)
        else:
            self._batch_pass(problem, state, order, rates, average, average_from)
        state.t += n_steps
        state.rate = float(rates[-1])
        return loss

    def rates(self, problem, state, n_steps):
        """Return the rates of the next steps, of shape (n_steps,)."""
        settings = self.settings
        schedule = settings.schedule
        if schedule is None:
            auto = isinstance(settings.eta0, str)
            slower, rule = state.memory["late"] or self._bold(problem), self.rule
            power = rule.mean_power if slower else rule.auto_power
            span, last = state.memory["span"], None
            if settings.cools and span < _CONSTANT:
                steps = -(-problem.objective.n_active // state.memory["batch_size"])
                last = settings.horizon * steps
            schedule = AutoDecay(power, span, last) if auto else Constant()
        eta0 = state.memory["eta0"]
        if state.memory["late"] and state.passes == 0:
            # These rows may be the first of a stream, learnt once.
            eta0 = min(eta0, state.memory["stream_eta0"])
        loss = problem.objective.loss
        context = RateContext(eta0, settings.horizon, problem.alpha, loss, settings.power_t)
        return schedule.rates(state.passes, state.t, n_steps, context) * state.rate_scale

    def moved(self, problem, theta, order, rates):
        """Return where steps of one row each lead from ``theta``, at a given rate each."""
        state = self.blank(theta, math.nan, 1)
        if self._one_row(problem, state):
            self._one_row_pass(problem, state, order, rates, None, 0, None)
        else:
            self._vector_pass(problem, state, order, rates, None, 0)
        return state.theta

    def few_rows(self, problem, state):
        """Return what steps on the rows of small calls, as `Solver.few_rows` says."""
        if self._compiled(problem) is None or state.memory["average"] is not None:
            return None
        if not self._one_row(problem, state):
            return Batches(self, problem, state)
        late = problem.objective.sparse and not problem.has_l1
        return (LateSingly if late else Singly)(self, problem, state)

    def _unclipped(self):
        return self.settings.clip_norm is None and self.settings.clip_value is None

    def _compiled(self, problem):
        if problem.custom or problem.objective.memory() is None:
            return None
        return self.rule.compiled()

    def _clips(self):
        norm, value = self.settings.clip_norm, self.settings.clip_value
        return (math.inf if norm is None else norm), (math.inf if value is None else value)

    def _l2(self, problem, state):
        """Return the l2 weights that the rule's gradient, or its decay, is given."""
        if not self.rule.decoupled or problem.inv_scale is None:
            return problem.l2
        # A decay shrinks the coefficients as they are, and a rate from the data has the
        # units of the target, which a share to shrink by has not.
        objective = problem.objective
        if "unit" not in state.memory:
            state.memory["unit"] = objective.loss.unit(objective.y, objective.s)
        return problem.decay / state.memory["unit"]

    def _vector_pass(self, problem, state, order, rates, average, average_from):
        memory, objective = state.memory, problem.objective
        clip_norm, clip_value = self._clips()
        # One strength per column where columns have scales of their own, for all outputs.
        l2 = self._l2(problem, state)
        l2 = np.tile(l2, objective.n_outputs) if np.ndim(l2) else l2
        n_averaged = _reference.minibatch_block(
            lambda theta, batch: problem.loss_grad(theta, batch)[1],
            self.rule,
            state.theta,
            memory["vectors"],
            memory["scalars"],
            state.t,
            objective.batches(memory["batch_size"], order),
            rates,
            l2 if problem.has_l2 else 0.0,
            problem.prox if problem.has_l1 or problem.custom else None,
            objective.n_coef,
            clip_norm,
            clip_value,
            average,
            average_from,
            memory["n_averaged"],
            np,
        )
        memory["n_averaged"] = n_averaged

    def batch_terms(self, problem, state):
        """Return what steps of batches take from a problem, as `minibatch_block` is given it."""
        objective, d = problem.objective, problem.objective.n_features
        return (
            np.broadcast_to(self._l2(problem, state), d).astype(float),
            np.broadcast_to(problem.l1, d).astype(float) if problem.has_l1 else None,
            objective.shift,
            objective.inv_scale,
            objective.n_active / objective.mass,
            objective.fit_intercept,
            *self._clips(),
            objective.pointwise(),
            self.rule.compiled(),
        )

    def _batch_pass(self, problem, state, order, rates, average, average_from):
        memory = state.memory
        memory["n_averaged"] = _kernels.minibatch_block(
            problem.objective.memory(),
            order,
            memory["batch_size"],
            state.theta,
            memory["vectors"],
            memory["scalars"],
            state.t,
            rates,
            *self.batch_terms(problem, state),
            average,
            average_from,
            memory["n_averaged"],
        )

    def _one_row_pass(self, problem, state, order, rates, average, average_from, still):
        memory, objective = state.memory, problem.objective
        theta = objective.to_user(state.theta)
        if average is not None:
            average = objective.to_user(average)
        factor, due, l2, l1, metric = one_row_terms(problem)
        received = received_of(problem, memory)
        if received is not None:
            received[-1] *= due
        W, b = objective.split(theta)
        mean = (None, None) if average is None else objective.split(average)
        if still is not None:
            still = objective.split(objective.to_user(still))
        memory["n_averaged"], loss = _kernels.sgd_block(
            objective.memory(),
            order,
            rates if factor == 1.0 else rates * factor,
            W,
            b,
            l2,
            l1,
            objective.n_active / objective.mass,
            objective.fit_intercept,
            objective.pointwise(),
            *mean,
            state.t,
            average_from,
            memory["n_averaged"],
            metric,
            received,
            still,
        )
        if received is not None:
            received[-1] /= due
        state.theta[:] = objective.from_user(theta)
        if average is not None:
            memory["average"][:] = objective.from_user(average)
        return loss

    # -- resuming -------------------------------------------------------------------

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta`` and empty the rule's memory."""
        state.theta = theta.copy()
        state.point = state.theta
        state.value = value
        state.ahead = None
        self._clear(state)
        if state.memory["average"] is not None:
            state.memory["average"] = np.zeros_like(state.theta)
            state.memory["n_averaged"] = 0

    def with_settings(self, settings):
        """Return a copy that follows ``settings``."""
        found = Stochastic(self.rule)
        found.settings = settings
        return found
