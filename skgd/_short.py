"""Calls of few rows that are like the one before: what a step asks for, and no more.

A call of ``partial_fit`` takes the moments of its rows, moves the model into variables that
these say, and makes a problem of them. For a row or some at a time this costs many times what
the step does. Here the variables stay until enough rows have come, or one lies far out; what
was checked or made for the call before is not checked or made again.
"""

import math
import operator
import time

import numpy as np

from . import _kernels
from ._build import divergence_bound, shown
from ._params import plain_key
from ._problem import Problem
from ._protocols import Rows
from .objectives import (
    Pending,
    Scales,
    are_plain,
    check_sparse,
    linear_predictor,
    reach,
    renumbered,
    stored,
)

__all__ = ["ON_SIGHT", "Short"]

# What is made when it is looked at.
ON_SIGHT = "coef_", "intercept_", "loss_curve_", "history_"

_MOST_ROWS = 256, 2048  # of a call; where they hold less than one entry a column
# From which columns of a stream are shifted; and from which sparse ones have entries enough for
# scales that stay.
_LEAST_MASS = 32.0, 256.0
# Of the rows, after which their moments are taken anew; where scales follow single entries.
_GROWTH = 0.125, 1.0
# Rows that wait for that, where they have so many entries a column; and all the same.
_KEPT = 256, 4.0, 8192
# Scaled entries at most, for what the scales are in force; and what they are when new. Of a
# column that grows, as a date does, each row has a larger entry than all before.
_REACH, _NEW = 10.0, 5.0
_LOOKED_UP = 64  # labels at most, one at a time
_SIZES = 1e-100, 1e100  # of scales that follow a single entry


def _is_small(n_rows, n_stored, n_features):
    few, more = _MOST_ROWS
    return n_rows <= few or (n_rows <= more and n_stored <= n_features)


class Short:
    """What the next small call of an estimator needs, made by `after`."""

    @classmethod
    def after(cls, est, plan, data, problem, saved):
        """Return what small calls like this one can go on from, or None where they cannot.

        Parameters
        ----------
        est : GDRegressor or GDClassifier
            After a call of ``partial_fit``.
        plan : Plan
            Of that call.
        data : Data
            Its rows.
        problem : Problem
            Made of them, in the solver's variables.
        saved : Saved
            What the call left.
        """
        n, memory = data.X.shape[0], saved.state.memory
        if not _is_small(n, problem.objective.n_stored, problem.objective.n_features):
            return None
        if not memory["eta0"] > 0.0 or plan.settings.violation:
            return None
        moments = saved.moments
        if moments is not None and moments.mass < _LEAST_MASS[problem.objective.sparse]:
            return None
        if getattr(est, "class_weight", None) is not None or hasattr(est, "feature_names_in_"):
            return None
        if not getattr(est, "_flat_target", True) or plain_key(est) is None:
            return None
        if not all(name in vars(est) for name in est._get_param_names()):
            return None  # a subclass that makes a property of a parameter
        # Without the rows of this call, which may be part of a large array.
        bare = Problem(problem.objective.one_row(), problem.penalty, problem.alpha)
        few = plan.solver.few_rows(bare, saved.state)
        return None if few is None else cls(est, plan, data, bare, moments, few)

    def __init__(self, est, plan, data, problem, moments, few):
        objective = problem.objective
        self.few, self.plan, self.objective = few, plan, objective
        self.params_of = operator.itemgetter(*est._get_param_names())
        self.params = self.params_of(vars(est))
        self.kind, self.dtype = type(data.X), data.X.dtype
        self.n_features = objective.n_features
        self.scaled = moments is not None
        self.pending = Pending(self.n_features)
        self.scales = None
        if objective.sparse and few.metric is not None and self.scaled:
            unseen = (moments.low == 0.0) & (moments.high == 0.0)
            self.scales = Scales(unseen, _REACH, _NEW)
        growth = _GROWTH[self.scales is not None]
        self.most = growth * moments.mass if self.scaled else math.inf
        self.loss = plan.loss  # of the user's labels; that of the objective is of their codes
        self.codes = objective.loss.codes
        self.labels, self.zeros = self._labels(est), {}
        self.last = est.coef_.copy(), est.intercept_.copy()
        self.hidden, self._flat = False, est._flat_coef(objective.n_outputs)

    @staticmethod
    def _labels(est):
        """Return the target of each label, or None."""
        classes = est._known()
        if classes is None:
            return None
        signs = (-1.0, 1.0) if len(classes) == 2 else map(float, range(len(classes)))
        return dict(zip(classes.tolist(), signs, strict=True))

    def _targets(self, est, y):
        """Return targets of checked labels or numbers."""
        if self.labels is not None and len(y) <= _LOOKED_UP:
            found = [self.labels.get(one) for one in y.tolist()]
            if None not in found:
                return np.array(found)
        return est._encode(y, self.loss, est._known()).y

    def suits(self, est, X, y, classes):
        """Whether a call is like the one before, and nothing in it needs a closer look."""
        given = vars(est)
        if type(X) is not self.kind or X.ndim != 2 or X.dtype != self.dtype:
            return False
        if X.shape[0] > _MOST_ROWS[1] or not are_plain(X, y, self.n_features):
            return False
        if not _is_small(X.shape[0], len(stored(X)[1]), self.n_features):
            return False
        if not all(map(operator.is_, self.params_of(given), self.params)):
            return False
        if not self._untouched(given):
            return False
        if classes is not None:
            classes = np.asarray(classes)
            if classes.ndim != 1 or classes.dtype.kind not in "biuU":
                return False
            if not np.array_equal(np.unique(classes), est.classes_):
                return False
        if self.scaled and self.pending.n_rows + X.shape[0] > self.most:
            return False
        return "feature_names_in_" not in given

    def _untouched(self, given):
        """Whether coefficients are still what they were, if anyone has seen them."""
        if self.hidden:
            # Where there is one of these the user has set it.
            return given.keys().isdisjoint(ON_SIGHT)
        (coef, intercept), shown_coef = self.last, given.get("coef_")
        if type(shown_coef) is not np.ndarray or shown_coef.size != coef.size:
            return False
        if not np.array_equal(given.get("intercept_"), intercept):
            return False
        return np.array_equal(shown_coef.reshape(coef.shape), coef)

    def learn(self, est, saved, X, y):
        """Learn rows; where a guard steps in, change nothing and return False."""
        check_sparse(X)
        targets = self._targets(est, y)
        parts, n, few = stored(X), X.shape[0], self.few
        rows = Rows(*parts, self.n_features, targets, self.codes, np.ones(n))
        begun = done = odd = False
        try:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                rows, begun = few.begin(rows), True
                if self.scaled and not self._scales_serve(parts):
                    return False
                begin = time.perf_counter()
                steps, rate = few.learn(rows, few.order(n))
                seconds = time.perf_counter() - begin
                W, b = few.point()
                value, zero = few.value(rows, W, b), self._zero(rows)
                bound = self._bound(zero)
                if not value <= bound:
                    if few.loss <= bound and few.renew():
                        value = few.loss + few.penalty(W)
                    odd = not value <= bound
                    # As bad as before they were learnt, rows are none of the rate's business.
                    if odd and not value <= self._bound(zero, few.before(rows)):
                        return False
            if not (_kernels.is_finite(W.reshape(-1)) and _kernels.is_finite(b.reshape(-1))):
                return False
            few.commit()
            done = True
        finally:
            if begun and not done:
                few.undo()
        if not odd:
            saved.state.memory["lowered"] = False
        self._note(est, saved, parts, n, steps, rate, seconds)
        return True

    def _zero(self, rows):
        """Return F at zero, which is always the same for one row of a class."""
        if self.labels is None or len(rows.y) > 1:
            return self.few.zero(rows)
        target = rows.y[0]
        if target not in self.zeros:
            self.zeros[target] = self.few.zero(rows)
        return self.zeros[target]

    def _bound(self, *values):
        return divergence_bound(self.plan, self.objective, *values)

    def _scales_serve(self, parts):
        """Whether the variables serve rows, some columns of which may get another scale."""
        objective, few = self.objective, self.few
        if self.scales is None:
            return reach(parts, objective.shift, objective.inv_scale) <= _REACH
        columns, scales = self.scales.outgrown(parts, objective.scale)
        if len(columns):
            if not _SIZES[0] < scales.min() <= scales.max() < _SIZES[1]:
                return False  # squares would overflow, or vanish
            few.rescale(columns, scales)
        return True

    def _note(self, est, saved, parts, n, steps, rate, seconds):
        state = saved.state
        state.t += steps
        state.passes += 1
        state.rate, self.seconds, self.lost = rate, seconds, self.few.loss
        saved.rows += n
        if self.scaled:
            self.pending.add(parts, n)
            rows, most = self.pending.n_rows, _KEPT
            full = rows > most[0] and self.pending.n_stored > most[1] * self.n_features
            if full or rows > most[2]:
                self.most = 0.0
        given = vars(est)
        given["t_"] = state.t + 1
        self.hidden = True
        for name in ON_SIGHT:
            given.pop(name, None)

    def on_sight(self, state, given):
        """Set the attributes that calls have left to be made, but for those set since.

        Parameters
        ----------
        state : State
            Of the run; gets the value.
        given : dict
            Of the estimator's attributes.
        """
        if not self.hidden:
            return
        with np.errstate(under="ignore"):
            W, b = self.few.model()
            state.value = self.lost + self.few.penalty_of(W)
        model = shown(W, b, self.dtype, self._flat)
        self.last = model["coef_"].copy(), model["intercept_"].copy()
        curve = np.array([state.value])
        history = {
            "value": curve.copy(),
            "violation": np.array([state.violation]),
            "rate": np.array([state.rate]),
            "seconds": np.array([self.seconds]),
        }
        for name, value in (model | {"loss_curve_": curve, "history_": history}).items():
            given.setdefault(name, value)
        self.hidden = False  # only now: another thread may look at the same time

    def predictor(self, X, given):
        """Return the linear predictor of sparse rows at the cost of their entries, or None."""
        part = getattr(self.few, "part", None)
        hidden = self.hidden and given.keys().isdisjoint(ON_SIGHT)
        if not hidden or part is None or X.dtype != self.dtype:
            return None
        parts = stored(X)
        if parts[0] or len(parts[1]) > self.n_features:
            return None
        W, b, place = part(parts[2])
        model = shown(W, b, self.dtype, self._flat)
        rows = renumbered(parts, place, W.shape[1])
        return linear_predictor(rows, model["coef_"], model["intercept_"])

    def settle(self, saved):
        """Bring what a long call goes on from up to date."""
        self.few.settle()
        saved.state.point = saved.state.theta
        saved.inv_scale = self.objective.inv_scale
        coef, intercept = self.last
        saved.coef, saved.intercept = coef, intercept
        more = self.pending.moments(self.objective.loss) if self.scaled else None
        if more is not None:
            saved.moments = saved.moments.merged(more)
