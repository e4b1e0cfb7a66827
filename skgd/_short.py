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

from ._build import divergence_bound, shown
from ._params import plain_key
from ._problem import Problem
from ._protocols import Rows
from .objectives import Pending, are_plain, check_sparse, outgrown, reach, stored

__all__ = ["Short"]

_MOST_ROWS = 256, 2048  # of a call; where they hold less than one entry a column
_LEAST_MASS = 32.0  # from which columns of a stream are shifted
# Of the rows, after which their moments are taken anew; where scales follow single entries.
_GROWTH = 0.125, 1.0
# Rows that wait for that, where they have so many entries a column; and all the same.
_KEPT = 256, 4.0, 8192
# Scaled entries at most, for what the scales are in force; and what they are when new. Of a
# column that grows, as a date does, each row has a larger entry than all before.
_REACH, _NEW = 10.0, 5.0
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
        if moments is not None and moments.mass < _LEAST_MASS:
            return None
        if getattr(est, "class_weight", None) is not None or hasattr(est, "feature_names_in_"):
            return None
        if not getattr(est, "_flat_target", True) or plain_key(est) is None:
            return None
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
        self.unseen = None
        if objective.sparse and few.metric is not None and self.scaled:
            self.unseen = (moments.low == 0.0) & (moments.high == 0.0)
        growth = _GROWTH[self.unseen is not None]
        self.most = growth * moments.mass if self.scaled else math.inf
        self.loss = plan.loss  # of the user's labels; that of the objective is of their codes
        self.codes = objective.loss.codes
        self.last = est.coef_.copy(), est.intercept_.copy()

    def suits(self, est, X, y, classes):
        """Whether a call is like the one before, and nothing in it needs a closer look."""
        given = vars(est)
        if type(X) is not self.kind or X.ndim != 2 or X.dtype != self.dtype:
            return False
        if not _is_small(X.shape[0], len(stored(X)[1]), self.n_features):
            return False
        if not all(map(operator.is_, self.params_of(given), self.params)):
            return False
        if not self._shown(given.get("coef_"), given.get("intercept_")):
            return False
        if classes is not None:
            classes = np.asarray(classes)
            if classes.ndim != 1 or classes.dtype.kind not in "biuU":
                return False
            if not np.array_equal(np.unique(classes), est.classes_):
                return False
        if self.scaled and self.pending.n_rows + X.shape[0] > self.most:
            return False
        return "feature_names_in_" not in given and are_plain(X, y, self.n_features)

    def _shown(self, shown_coef, shown_intercept):
        """Whether coefficients are still what was set."""
        coef, intercept = self.last
        if type(shown_coef) is not np.ndarray or shown_coef.size != coef.size:
            return False
        if not np.array_equal(shown_intercept, intercept):
            return False
        return np.array_equal(shown_coef.reshape(coef.shape), coef)

    def learn(self, est, saved, X, y):
        """Learn rows; where a guard steps in, change nothing and return False."""
        check_sparse(X)
        targets = est._encode(y, self.loss, est._known())
        parts, n, few, objective = stored(X), X.shape[0], self.few, self.objective
        if self.scaled and not self._scales_serve(parts):
            return False
        rows = Rows(*parts, self.n_features, targets.y, self.codes, np.ones(n))
        kept, good, odd = few.keep(), False, False
        try:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                begin = time.perf_counter()
                steps, rate = few.learn(rows, few.order(n))
                seconds = time.perf_counter() - begin
                theta = few.user(few.live)
                W, b = objective.split(theta)
                value, zero = few.values(rows, W, b)
                if not value <= divergence_bound(self.plan, objective, zero):
                    # As bad as before they were learnt, rows are none of the rate's business.
                    before = few.values(rows, *objective.split(few.user(kept)))[0]
                    odd = True
                    if not value <= divergence_bound(self.plan, objective, zero, before):
                        return False
            if not math.isfinite(theta.sum()):
                return False
            model, good = shown(W, b, self.dtype, est), True
        finally:
            if not good:
                few.undo(kept)
        if not odd:
            saved.state.memory["lowered"] = False
        self._note(est, saved, parts, n, model, value, steps, rate, seconds)
        exact = model["coef_"].dtype == np.float64
        self.last = (W, b) if exact else (model["coef_"].copy(), model["intercept_"].copy())
        return True

    def _scales_serve(self, parts):
        """Whether the variables serve rows, some columns of which may get another scale."""
        objective, few = self.objective, self.few
        if self.unseen is None:
            return reach(parts, objective.shift, objective.inv_scale) <= _REACH
        columns, scales = outgrown(parts, objective.scale, self.unseen, _REACH, _NEW)
        if len(columns):
            if not _SIZES[0] < scales.min() <= scales.max() < _SIZES[1]:
                return False  # squares would overflow, or vanish
            few.rescale(columns, scales)
            self.unseen[columns] = False
        return True

    def _note(self, est, saved, parts, n, model, value, steps, rate, seconds):
        state = saved.state
        state.t += steps
        state.passes += 1
        state.value, state.rate = value, rate
        saved.rows += n
        if self.scaled:
            self.pending.add(parts, n)
            rows, most = self.pending.n_rows, _KEPT
            full = rows > most[0] and self.pending.n_stored > most[1] * self.n_features
            if full or rows > most[2]:
                self.most = 0.0
        given = vars(est)
        given.update(model)
        given["t_"], given["loss_curve_"] = state.t + 1, np.array([value])
        given["history_"] = {
            "value": np.array([value]),
            "violation": np.array([state.violation]),
            "rate": np.array([rate]),
            "seconds": np.array([seconds]),
        }

    def settle(self, saved):
        """Bring what a long call goes on from up to date."""
        self.few.settle()
        saved.state.point = saved.state.theta
        saved.inv_scale = self.objective.inv_scale
        coef, intercept = self.last
        saved.coef, saved.intercept = np.array(coef), np.array(intercept)
        more = self.pending.moments(self.objective.loss) if self.scaled else None
        if more is not None:
            saved.moments = saved.moments.merged(more)
