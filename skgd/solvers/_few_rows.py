"""Steps on a few rows of a stream, in variables that stay what they are from call to call.

A call of ``partial_fit`` with one row costs what is done around its step. Here is what a
solver does with such rows and nothing else: arrays made once, changed in place.
"""

import numpy as np

from .. import _kernels
from ._order import permuted

__all__ = ["Batches", "FewRows", "Mixture", "Proximal", "Singly", "one_row_terms", "received_of"]

_NEAR_ONE = 6.0  # ratio of scales that one rate still serves


def one_row_terms(problem):
    """Return what steps of a row each take from a problem, in the user's variables.

    Parameters
    ----------
    problem : Problem
        In the user's variables or in scaled ones.

    Returns
    -------
    factor : float
        Of the rates.
    due : float
        Unit of the sum of rates that an l1 penalty keeps: it is stored in that of steps with a
        metric, so that either may follow the other.
    l2, l1 : float
        Penalty of the textbook's step.
    metric : tuple or None
        As `skgd._kernels.sgd_block` takes it.
    """
    objective = problem.objective
    if objective.inv_scale is None:
        return 1.0, 1.0, problem.l2, problem.l1, None
    if _uniform(objective):
        # One scale for all: the textbook's step, with a rate in the user's variables.
        inv = float(objective.inv_scale[0])
        l2, l1 = float(problem.l2[0]) / inv**2, float(problem.l1[0]) / inv
        return inv**2, l1 * inv**2, l2, l1, None
    inv, d = objective.inv_scale, objective.n_features
    # In the user's variables a step of the scaled ones has this metric.
    decay = np.broadcast_to(problem.l2, d).astype(float)
    pull = np.broadcast_to(problem.l1 * inv, d).astype(float) if problem.has_l1 else None
    return 1.0, 1.0, 0.0, 0.0, (inv * inv, objective.shift, decay, pull)


def received_of(problem, memory):
    """Return what of an l1 penalty each coefficient has received, and last what all could have.

    Parameters
    ----------
    problem : Problem
        Its penalty counts.
    memory : dict
        Of the state; zeros are put there at first.

    Returns
    -------
    ndarray of shape (n_coef + 1,) or None
        None without an l1 part.
    """
    if not problem.has_l1:
        return None
    return memory.setdefault("received", np.zeros(problem.objective.n_coef + 1))


def _uniform(objective):
    if not objective.uniform or objective.shift is not None:
        return False
    # The textbook's step has the same rate for the intercept, whose column is 1: columns
    # of another size would leave no rate that suits both.
    return not objective.fit_intercept or 1 / _NEAR_ONE < objective.scale[0] < _NEAR_ONE


class FewRows:
    """Base: the state's arrays are in scaled variables, and ``theta`` is the point.

    A call is ``begin``, then ``learn`` and looks at what this led to, then ``commit`` or ``undo``.

    Attributes
    ----------
    live : list of ndarray
        What a step changes in place.
    metric : tuple or None
        Where steps are those of the user's variables with a metric, what `sgd_block` takes
        for it: a column's scale is then free to change.
    most_decay : float
        The strongest l2 part that a column feels.
    loss : float
        Mean of the last rows that were learnt, after that.
    by_loss : bool
        Whether this alone tells how steps went, not F.
    """

    metric, most_decay, by_loss = None, np.inf, False

    def __init__(self, solver, problem, state):
        self.solver, self.problem, self.state = solver, problem, state
        self.live, self.loss, self._kept, self._drawn = [state.theta], np.nan, None, None
        objective = problem.objective
        self.split, self.pointwise = objective.split, objective.pointwise()
        self.nothing = np.zeros(objective.n_outputs)

    def order(self, n):
        """Return the order of ``n`` rows."""
        order, self._drawn = np.arange(n), None
        if n > 1 and self.solver.settings.shuffle:
            rng = self.state.memory["rng"]
            self._drawn = rng.bit_generator.state
            order = permuted(rng, order)
        return order

    # -- a call -----------------------------------------------------------------------

    def begin(self, rows):
        """Keep what is to change, to go back to; return the rows as ``learn`` takes them."""
        self._drawn = None
        if self._kept is None:
            self._kept = [np.empty_like(one) for one in self.live]
        for one, kept in zip(self.live, self._kept, strict=True):
            kept[...] = one
        return rows

    def learn(self, rows, order):
        """Step on rows; return the steps done, and the rate of the last."""
        raise NotImplementedError

    def commit(self):
        """Keep what was learnt since ``begin``."""

    def undo(self):
        """Forget the steps since ``begin``."""
        for one, before in zip(self.live, self._kept, strict=True):
            one[...] = before
        if self._drawn is not None:  # whoever takes these rows draws the same order
            self.state.memory["rng"].bit_generator.state = self._drawn

    # -- looks ------------------------------------------------------------------------

    def user(self, live):
        """Return the point of ``live``, or of a copy of it, in the user's variables."""
        return self.problem.objective.to_user(live[0])

    def point(self):
        """Return coefficients and intercepts of the user's variables, as rows take them."""
        return self.split(self.user(self.live))

    def model(self):
        """Return coefficients and intercepts of all columns, in the user's variables."""
        return self.point()

    def value(self, rows, W, b):
        """Return F on these rows at `point`, but for what is late in the penalty."""
        self.loss = self._mean(rows, W, b)
        return self.loss + self.penalty(W)

    def zero(self, rows):
        """Return F on these rows at zero."""
        n = len(rows.s)
        return _kernels.losses_at(rows, 0, n, None, self.nothing, self.pointwise, None)[0] / n

    def before(self, rows):
        """Return F on these rows before they were learnt."""
        W, b = self.split(self.user(self._kept))
        return self._mean(rows, W, b) + self.penalty(W)

    def _mean(self, rows, W, b):
        n = len(rows.s)
        return _kernels.full_pass(rows, 0, n, W, b, self.pointwise) / n

    def penalty(self, W):
        """Return the penalty at a point with coefficients ``W``, where it tells how steps went.

        But for what is late.
        """
        return 0.0 if self.by_loss else self.penalty_of(W)

    def penalty_of(self, W):
        """Return the penalty of coefficients."""
        problem, value = self.problem, 0.0
        # Not by BLAS, whose threads would go on spinning.
        if problem.has_l2:
            value += 0.5 * problem.decay * float(np.einsum("ij,ij->", W, W))
        if problem.has_l1:
            value += problem.pull * float(np.abs(W).sum())
        return value

    def renew(self):
        """Bring what is late in `penalty` up to date; return whether that changed anything."""
        return False

    # -- between calls ----------------------------------------------------------------

    def settle(self):
        """Bring the state up to date."""

    def rescale(self, columns, scales):
        """Give columns other scales, where there is a metric without a shift.

        Returns
        -------
        float
            The strongest l2 part on one of these columns.
        """
        objective, problem = self.problem.objective, self.problem
        inv2, _, decay, pull = self.metric
        if problem.has_l1:
            inv = 1.0 / scales
            problem.l1[columns] = problem.pull * inv
            pull[columns] = problem.pull * inv * inv
        arrays = objective.scale, objective.inv_scale, inv2, decay, problem.l2
        return _kernels.set_scales(columns, scales, problem.decay, self.most_decay, *arrays)


class Batches(FewRows):
    """Any compiled rule."""

    def __init__(self, solver, problem, state):
        super().__init__(solver, problem, state)
        self.live += [state.memory["vectors"], state.memory["scalars"]]
        self.fixed = solver.batch_terms(problem, state)

    def learn(self, rows, order):
        state, solver = self.state, self.solver
        size = solver.rows_a_step(len(order), len(rows.data) / len(order), rows.n_features)
        state.memory["batch_size"] = size
        steps = -(-len(order) // size)
        rates = solver.rates(self.problem, state, steps)
        theta, vectors, scalars = self.live
        _kernels.minibatch_block(
            rows, order, size, theta, vectors, scalars, state.t, rates, *self.fixed
        )
        return steps, float(rates[-1])


class Singly(FewRows):
    """A row a step: the kernel works in the user's variables, and so does this.

    Attributes
    ----------
    coef, intercept : ndarray of shape (1, n_outputs, n_features), (1, n_outputs)
        The one model.
    stepped : ndarray of shape (1, n_steps)
        The rates of the last call.
    """

    def __init__(self, solver, problem, state):
        super().__init__(solver, problem, state)
        objective = problem.objective
        self.theta = objective.to_user(state.theta)
        self.live = [self.theta]
        self.factor, self.due, l2, l1, self.metric = one_row_terms(problem)
        self.received = received_of(problem, state.memory)
        if self.received is not None:
            self.live.append(self.received)
        W, b = self.split(self.theta)
        self.coef, self.intercept, self.seen_metric = W[None], b[None], self.metric
        self.fixed = l2, l1, 1.0, objective.fit_intercept

    def learn(self, rows, order):
        state, due, received = self.state, self.due, self.received
        rates = self.solver.rates(self.problem, state, len(order))
        if received is not None:
            received[-1] *= due
        step = rates if self.factor == 1.0 else rates * self.factor
        _kernels.sgd_block(
            rows,
            order,
            step,
            self.coef[0],
            self.intercept[0],
            *self.fixed,
            self.pointwise,
            metric=self.seen_metric,
            received=received,
        )
        if received is not None:
            received[-1] /= due
        self.stepped = step[None]
        return len(order), float(rates[-1])

    def rescale(self, columns, scales):
        if self.received is not None:
            worth = (self.problem.objective.scale[columns] / scales) ** 2
            each = self.received[:-1].reshape(len(self.nothing), -1)
            each[:, columns] *= worth
        return super().rescale(columns, scales)

    def user(self, live):
        return live[0]

    def settle(self):
        self.state.theta[:] = self.problem.objective.from_user(self.theta)


class Mixture(FewRows):
    """Several rates at once, weighted; the models in the user's variables.

    Attributes
    ----------
    coef, intercept : ndarray of shape (n_models, n_outputs, n_features), (n_models, n_outputs)
        The models.
    stepped : ndarray of shape (n_models, n_steps)
        The rates of the last call.
    """

    def __init__(self, solver, problem, state):
        super().__init__(solver, problem, state)
        objective, memory = problem.objective, state.memory
        self.by_loss = solver.by_loss(objective.loss)
        self.models = np.array([objective.to_user(one) for one in memory["models"]])
        self.weights = memory["weights"].copy()
        self.live = [self.models, self.weights]
        self.factor, _, l2, _, self.metric = one_row_terms(solver.mild(problem))
        self.most_decay = problem.decay
        k = objective.n_outputs
        self.coef = self.models[:, :-k].reshape(len(self.models), k, -1)  # views
        self.intercept = self.models[:, -k:]
        self.fixed = l2, objective.fit_intercept, self.pointwise
        self.seen_metric, self.seen_scale = self.metric, objective.inv_scale
        self.shift = objective.shift

    def learn(self, rows, order):
        solver, state, fixed = self.solver, self.state, self.fixed
        self.stepped = np.empty((len(self.weights), len(order)))
        terms = solver.block_terms(state, self.factor)
        arrays = self.coef, self.intercept, self.weights, self.stepped
        scales = self.shift, self.seen_scale
        _kernels.hedge_block(rows, order, *arrays, terms, scales, self.seen_metric, *fixed)
        return len(order), solver.mean_rate(state, self.weights)

    def user(self, live):
        models, weights = live
        return np.einsum("i,ij->j", weights, models)

    def settle(self):
        objective, memory = self.problem.objective, self.state.memory
        for kept, model in zip(memory["models"], self.models, strict=True):
            kept[:] = objective.from_user(model)
        memory["weights"] = self.weights.copy()
        self.state.theta[:] = self.weights @ memory["models"]


class Proximal(FewRows):
    """FTRL."""

    def __init__(self, solver, problem, state):
        super().__init__(solver, problem, state)
        memory = state.memory
        self.rate = memory["eta0"] * state.rate_scale
        solver.anchor(problem, state, self.rate)
        self.live += [memory["z"], memory["square"]]
        self.fixed = solver.block_args(problem, memory, self.rate, self.live)

    def learn(self, rows, order):
        memory = self.state.memory
        _kernels.ftrl_block(rows, order, memory["steps"], *self.fixed, self.pointwise)
        memory["steps"] += len(order)
        return len(order), self.rate

    def begin(self, rows):
        self.steps = self.state.memory["steps"]
        return super().begin(rows)

    def undo(self):
        super().undo()
        self.state.memory["steps"] = self.steps
