"""Newton steps with the Hessian of a sample of rows, corrected by secant pairs."""

import numpy as np
from scipy.linalg import LinAlgError

from ._applied import Applied
from ._curvature import (
    FACTORED,
    ROWS,
    Factored,
    ThroughRows,
    bent_rows,
    block_size,
    coupled,
    formed_size,
    is_quadratic,
    passable,
)
from ._lbfgs import LBFGS
from ._line_search import Arrival, MarginLine

__all__ = ["Newton"]

_CHEAP = 3e8  # operations of a Hessian of all rows that are not worth saving
_BALANCE = 12  # a Hessian of this many n / d rows costs about as much as a pass over n
_PLENTY = 1000  # rows for each coefficient: the gradient then shrinks thirtyfold a step
_PER_COLUMN = 4  # rows for each coefficient, below which a sample says too little
_MORE = 4  # times as many rows, where some of them say too little
_SLOW = 0.3  # ratio of two violations from which the Hessian is looked at again
_PRODUCTS = 20.0  # of a dense product, in the time that a pass takes for one entry
_OF_SEVERAL = 10.0  # the same of several outputs, whose entries are read once
_MANY = 3e6  # entries, below which a pass over all of them costs next to nothing
_SHARE = 32  # of the rows there are, for each that a first solution is found from
_START = 400  # of these for each coefficient
_STEPS, _NEAR = 10, 1e-3  # on them: how many, and what part of the way is left in the end
_NOTHING = 6e8  # products that take no time worth a thought
_DEAR = 3  # passes that a Hessian may cost without a second thought
_PATIENCE, _MORE_PATIENCE = 3, 10  # steps of a Hessian, where it is whole and where it is not
_FIRST = 40  # steps that go before products: often they will do
_CLASSES = 200  # the same before Hessians of classes by themselves, which are right less often
_SPAN, _SHORT, _FAST = 50, 20, 0.6  # and on, while F falls by less than that part of the last span
_HALVINGS, _DOUBLINGS = 40, 20


def between(objective, few):
    """Return rows midway between those of a sample, half as many."""
    at, step = np.linspace(0, objective.n_active - 1, few, retstep=True)
    return objective.active_at(at[:-1:2] + 0.5 * step)


def kinked_part(problem, theta):
    """Return the penalty but for its l2 part."""
    total = problem.penalty_value(theta)
    if problem.has_l2:
        W = problem.objective.split(theta)[0]
        total -= 0.5 * float((problem.l2 * W * W).sum())
    return total


class Newton(LBFGS):
    r"""Gradient descent preconditioned by the Hessian of a sample of rows.

    .. math::

        \theta_{t+1} = \theta_t - \gamma_t H_t \nabla F(\theta_t), \qquad
        H_t \approx \left(\frac{1}{m} \sum_{i \in S} \nabla^2 \ell_i(\theta_s)
                          + \alpha \nabla^2 R_2\right)^{-1}

    The sample :math:`S` is all rows where that is cheap, else so many that their Hessian
    costs about as much as a pass. Where it would cost more than a few passes, as many steps
    of `LBFGS` go before. It is kept until the gradient shrinks slowly, then taken
    at the new point and from four times the rows. What it says wrongly is corrected by the
    last changes of the gradient, as in `LBFGS` with this matrix to begin from. The step
    :math:`\gamma_t` meets the strong Wolfe conditions.

    With an l1 part or a penalty of the user's the step is the proximal one [1]_: about the minimum
    of the model with the penalty as it is, found by coordinate descent and the exact solution for
    the signs that it finds, or by accelerated proximal gradient steps on the model alone, and
    shortened until F has decreased enough. Pairs say nothing there: a Hessian is kept as long as
    the gradient shrinks fast.

    From zero coefficients, and where rows are many, the first solution is that of a
    thirty-second of them or less, or the step to it from which on half as many others are worse
    off: it costs less than a step, and is about as near as the third.

    Parameters
    ----------
    memory : int, default=5
        Pairs of changes that are kept, at least 1; while the steps are those of `LBFGS`, as many
        as it keeps, or more.

    Notes
    -----
    A step reads X once where its first length will do, as in `LBFGS`, and with an l1 part
    twice. A Hessian costs :math:`O(m d^2 + d^3)`, for softmax
    of k classes :math:`O(k^2 m d^2 + k^3 d^3)`. A softmax of more than 1,500 coefficients has
    one for each class, of at most 1,500 columns, as if classes did not depend on each other: after
    200 steps of `LBFGS`, and more while these go fast: while F falls in fifty of them by less than
    0.6 of what it fell by in the fifty before. They may be all that is needed. (A Hessian of all
    classes together that is dear waits in the same way, for twenty at a time.) Rows that are fitted
    well count there through their squares alone.

    Beyond, it is not formed: with an l2 part on all coefficients, no l1 part, and at most 2,000
    rows that have a curvature, a matrix of the order of these rows is factored; else conjugate
    gradients with the diagonal of the Hessian [3]_ solve with products, at most 500 a step,
    each of which reads the rows that have a curvature twice: those are copied where they are at
    most half, and at most eight million entries or 5 % of X. Forty steps of `LBFGS` go before.
    With an l1 part products take what working sets of columns, as of `LBFGS`, have left.
    Memory: the Hessian and its factors, and five arrays of shape ``(n_rows, n_outputs)``.

    Sampled Hessians are analysed in [2]_.

    Squared errors of many more rows than columns are fitted on as few rows as there are
    columns, with the same second moments: X is read for these alone, unless callbacks, a start
    or rows held out ask for the rows themselves, or rounding would show in the certificate. With
    an l1 or l2 penalty a step is all that this takes: the normal equations, for those columns that
    coordinate descent on second moments finds, in :math:`O(d^3)`. Then there is no run, unless
    ``verbose`` or ``tol=None`` ask for one, or columns are alike to nearly all digits.

    Outputs that do not depend on each other, targets or one class against the rest, have step
    lengths of their own once there is a Hessian, without an l1 part.

    The search chooses all step lengths: ``eta0``, ``learning_rate``, ``clip_norm`` and
    ``clip_value`` must be left at their defaults.

    References
    ----------
    .. [1] J. D. Lee, Y. Sun, M. A. Saunders (2014). "Proximal Newton-type methods for
       minimizing composite functions". SIAM Journal on Optimization 24.
    .. [2] R. H. Byrd, G. M. Chin, W. Neveitt, J. Nocedal (2011). "On the use of stochastic
       Hessian information in optimization methods for machine learning". SIAM Journal on
       Optimization 21.
    .. [3] C.-Y. Hsia, W.-L. Chiang, C.-J. Lin (2018). "Preconditioned conjugate gradient methods
       in truncated Newton frameworks for large-scale linear classification". ACML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import Newton
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=Newton(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    needs = frozenset({"smooth_loss"})

    def __init__(self, memory=5):
        super().__init__(memory)

    def init(self, problem, theta, rng):
        """Return the state before the first step; reads X twice.

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
            As of `LBFGS`; ``memory["model"]`` is made by the first step.
        """
        state = self._begin(problem, theta, rng)
        sample = self.first_sample(problem)
        wait = self._worth(problem, sample)
        whole = formed_size(problem.objective) == block_size(problem.objective)
        patience = _PATIENCE if whole else _MORE_PATIENCE
        state.memory.update(model=None, sample=sample, since=0, wait=wait, patience=patience)
        if wait and coupled(problem.objective):
            state.memory.update(seen=[], span=_SHORT if whole else _SPAN)
        if wait:
            state.memory["kept"] = max(self.memory, LBFGS().memory)
        return state

    def _begin(self, problem, theta, rng):
        """Return the state at the optimum of a small sample of the rows, where that pays."""
        objective, size = problem.objective, formed_size(problem.objective)
        few = min(objective.n_active // _SHARE, _START * size)
        if objective.n_stored < _MANY or few < _PER_COLUMN * size:
            return super().init(problem, theta, rng)
        if size > FACTORED or problem.custom:
            return super().init(problem, theta, rng)
        if objective.split(theta)[0].any():
            return super().init(problem, theta, rng)  # somebody knows better
        part = problem.sample(few)
        state = super().init(part, theta, rng)
        state.memory.update(model=None, sample=few, since=0, wait=0, patience=_PATIENCE)
        first, last, best = state.value, np.inf, theta
        others = objective.of_rows(between(objective, part.objective.n_rows))
        least = others.loss_sum(theta)
        for _ in range(_STEPS):
            # Nearer to the sample's optimum than that is from the optimum is no gain.
            if "stalled" in state.memory or last - state.value <= _NEAR * (first - state.value):
                break
            last = state.value
            state = self.step(part, state)
            losses = others.loss_sum(state.theta)
            if not losses < least:
                break  # what is learnt now is true of the sample alone
            least, best = losses, state.theta
        null = problem.value(theta)
        found = super().init(problem, best, rng)
        return found if found.value < null else super().init(problem, theta, rng)

    @staticmethod
    def _worth(problem, sample):
        """Return how many steps to do without a Hessian: what one costs, in passes."""
        objective = problem.objective
        size, k = formed_size(objective), objective.n_outputs
        if problem.has_l1 or problem.custom:
            return 0
        if size > FACTORED:
            few = passable(problem) and objective.n_active <= ROWS
            return 0 if few and objective.n_active * objective.n_stored <= _NOTHING else _FIRST
        entries, whole = objective.n_stored / objective.n_rows, size == block_size(objective)
        if whole:
            products = 2.0 * sample * entries * min(entries * k, size)
        else:
            products = sample * entries * min(entries, size) * k
        products += k * size**3 / 3.0
        dear = _PRODUCTS if k == 1 else _OF_SEVERAL
        passes = products / (dear * max(objective.n_stored, 1) * k)
        if not whole:
            return max(_CLASSES, int(passes))
        if products <= _NOTHING:
            return 0
        # Columns that are much alike need none at all; on others a few steps are no loss.
        return int(passes) if passes > _DEAR else 0

    def first_sample(self, problem):
        """Return how many rows the first Hessian is taken from.

        Parameters
        ----------
        problem : Problem
            What is minimised.

        Returns
        -------
        int
            All that have a weight, where their Hessian is cheap.
        """
        objective, size = problem.objective, formed_size(problem.objective)
        n, d = objective.n_active, objective.n_features + 1
        if size < block_size(objective):
            return min(n, _MORE * _PER_COLUMN * size)  # of which most soon count for little
        if objective.loss.banded:
            return n  # few rows show a curvature: none of them can be spared, and all cost little
        # Entries of a sparse row meet each other only.
        d = min(d, 1.0 + objective.n_stored / objective.n_rows) if objective.sparse else d
        if n * d * min(size, d * objective.n_outputs) <= _CHEAP:
            return n
        most = min(_BALANCE * n // size, _PLENTY * size)
        return int(min(n, max(most, _PER_COLUMN * size)))

    def _model(self, problem, state):
        memory, objective = state.memory, problem.objective
        if memory["model"] is None:
            memory["since"] = 0
            self._forget(memory)
            memory["kept"] = self.memory  # they correct a Hessian, not what a step begins with
            if formed_size(objective) > FACTORED:
                memory["model"] = self._through_rows(problem, memory)
                if memory["model"] is None:
                    memory["model"] = self._applied(problem, state)
            else:
                n = objective.n_active
                if memory["sample"] < n:
                    rows = objective.active_at(np.linspace(0, n - 1, memory["sample"]))
                else:
                    rows = objective.active()
                memory["model"] = Factored(problem, memory["eta"], rows)
        elif isinstance(memory["model"], (Applied, ThroughRows)):
            memory["model"].attach(problem)  # where it comes from a file
        return memory["model"]

    @staticmethod
    def _through_rows(problem, memory):
        bent = bent_rows(problem, memory["eta"])
        try:
            return None if bent is None else ThroughRows(problem, bent, memory["grad"])
        except LinAlgError:
            return None

    @staticmethod
    def _applied(problem, state):
        return Applied(problem, state.theta, state.memory["eta"])

    def step(self, problem, state):
        """Do one step; value and violation are those of the point it reaches."""
        before = state.violation
        state = super().step(problem, state)
        memory = state.memory
        memory["since"] += 1
        if memory["model"] is None and state.t <= memory["wait"] and "seen" in memory:
            self._put_off(state)
        if memory["model"] is None or memory.get("stalled"):
            return state
        if isinstance(memory["model"], Applied) and memory["model"].whole:
            memory["model"] = None  # another costs less than a solution with this one
            return state
        if state.violation > _SLOW * before:
            n = problem.objective.n_active
            # Pairs bend a model of all rows towards the truth; give them some steps. Where a
            # penalty has a kink there are none, and a model that is off stays off.
            kinked = problem.has_l1 or problem.custom
            if kinked or memory["sample"] < n or memory["since"] >= memory["patience"]:
                if memory["since"] == 1:
                    memory["sample"] = min(n, _MORE * memory["sample"])
                memory["model"] = None
        return state

    @staticmethod
    def _put_off(state):
        """Wait longer for Hessians of softmax where steps without go fast: one costs several."""
        memory, span = state.memory, state.memory["span"]
        if state.t % span == 0:
            memory["seen"] = seen = [*memory["seen"][-2:], state.value]
            if memory["wait"] - state.t < span and len(seen) == 3:
                before, now = -np.diff(seen)
                if now < _FAST * before:
                    memory["wait"] = state.t + span

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``; the Hessian is taken anew."""
        super().restart(state, theta, value)
        state.memory["model"] = None

    def _search(self, problem, state):
        memory = state.memory
        if state.t <= memory["wait"] and not problem.custom:
            return super()._search(problem, state)
        if problem.has_l1:
            found = self._on_columns(problem, state)
            if found is not None:
                memory["model"] = None
                return found
        try:
            model = self._model(problem, state)
        except LinAlgError:
            # Curvatures that overflow here need not do so a few steps further.
            memory["wait"] = state.t + _DEAR
            return None if problem.custom else super()._search(problem, state)
        if problem.has_l1 or problem.custom:
            found = self._proximal(problem, state, model)
            if found is None and problem.has_l1 and not problem.objective.loss.banded:
                # A model without a curvature is too far off for any part of its step; where the
                # loss has bands, it is for their owner to look farther.
                return super()._search(problem, state)
            return found
        direction = self._apply(memory["pairs"], memory["grad"], first=model.solve)
        objective = problem.objective
        # The model of a quadratic is F: all outputs go all the way.
        if objective.n_outputs > 1 and not (coupled(objective) or is_quadratic(objective)):
            return self._each(problem, state, direction)
        slope = float(np.vdot(memory["grad"], direction))
        # A Hessian that is off by a factor is off by it again.
        first = state.rate if memory["since"] else 1.0
        return self._whole(problem, state, direction, slope, first)

    def _each(self, problem, state, direction):
        """Return the `Arrival` of a step with a length for each output, which know no other."""
        memory, theta, split = state.memory, state.theta, problem.objective.split
        noise, (W, b), (D, d) = self._noise(state), split(theta), split(direction)
        moved, there = problem.objective.linear(direction), theta.copy()
        eta, u = np.empty_like(moved), np.empty_like(moved)
        (into, into_b), lengths, losses = split(there), [], 0.0
        for j, part in enumerate(problem.outputs()):
            along = np.append(D[j], d[j])
            mine = {"eta": memory["eta"][:, j, None].copy(), "moved": moved[:, j, None].copy()}
            line = MarginLine(part, np.append(W[j], b[j]), direction=along, **mine)
            value, slope = line(0.0)
            t = self._best(state.memory, line, slope, value, 1.0, noise, np.inf).t
            if line.t != t:
                line(t)
            into[j] += t * D[j]
            into_b[j] += t * d[j]
            eta[:, j], u[:, j] = line.eta[:, 0], line.u[:, 0]
            lengths.append(t)
            losses += line.loss_sum
        if not any(lengths):
            return None
        value, grad = problem.value(there, losses), problem.gradient_of(there, u)
        return Arrival(min(t for t in lengths if t), there, value, grad, eta, True)

    # -- with a penalty that has a kink ---------------------------------------------

    def _on_columns(self, problem, state):
        few = formed_size(problem.objective) <= FACTORED
        return None if few else super()._on_columns(problem, state)

    def _proximal(self, problem, state, model):
        memory, theta = state.memory, state.theta
        there = model.minimum(problem, theta, memory["grad"])
        direction = there - theta
        # The smooth part's slope has l2 in it already; what is added must not.
        fall = float(np.vdot(memory["grad"], direction))
        fall += kinked_part(problem, there) - kinked_part(problem, theta)
        if not fall < 0.0:
            return None
        line, t = MarginLine(problem, theta, memory["eta"], direction), 1.0
        noise = self._noise(state)
        for _ in range(_HALVINGS):
            line(t)
            point = there if t == 1.0 else theta + t * direction
            value = problem.value(point, line.loss_sum)
            if value <= state.value + 1e-4 * t * fall + noise:
                if t == 1.0 and problem.objective.loss.banded:
                    t, point = self._farther(problem, line, theta, direction, value - noise)
                    point = there if t == 1.0 else point
                return self._arrive(problem, line, t, point)
            t *= 0.5
        return None

    @staticmethod
    def _farther(problem, line, theta, direction, value):
        """Return how far F goes on falling, by doubling, and the point there."""
        # A model with the curvature of a band knows nothing of slopes that go on without end.
        t, point = 1.0, None
        for _ in range(_DOUBLINGS):
            line(2.0 * t)
            ahead = theta + 2.0 * t * direction
            found = problem.value(ahead, line.loss_sum)
            if not found < value:
                break
            t, point, value = 2.0 * t, ahead, found
        if line.t != t:
            line(t)
        return t, point

    @staticmethod
    def _noise(state):
        return 4e-15 * abs(state.value)
