"""One step on new rows: ``partial_fit``, and the state that it goes on from."""

import copy
import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from ._build import coefficients, divergence_bound, make_problem, null_point, scaled_problem
from ._protocols import State
from ._short import ON_SIGHT, Short
from .objectives import Moments, linear_predictor, to_user

__all__ = ["Saved", "Streamed", "partial_fit", "short_call"]

_SETTLED = 32  # rows after which a rate taken from the data is kept
_RETRIES = 40


@dataclass(eq=False)
class Saved:
    """A stochastic run between two calls, in plain arrays and numbers, so it pickles."""

    rule: object
    state: State
    moments: Moments | None  # of all rows seen, where the variables are scaled
    shift: np.ndarray | None
    inv_scale: np.ndarray | None
    points: tuple  # names of arrays in the state's memory that are points
    coef: np.ndarray  # coef_ and intercept_ as they were set: a change is then noticed
    intercept: np.ndarray
    rows: float

    short = None  # what makes the next call a short one, where there is such a thing
    left = None  # attributes that such calls left to be made, where they have ended

    @classmethod
    def after(cls, plan, problem, state, est, rows=np.inf):
        """Return what to keep after a run that set ``coef_`` and ``intercept_``."""
        objective = problem.objective
        return cls(
            rule=plan.found,
            state=state,
            moments=objective.seen if objective.inv_scale is not None else None,
            shift=objective.shift,
            inv_scale=objective.inv_scale,
            points=plan.solver.points,
            coef=np.array(est.coef_),
            intercept=np.array(est.intercept_),
            rows=rows,
        )

    def settle(self):
        """Bring all up to date with the short calls since the last long one, and end them."""
        short, self.short = self.short, None
        if short is not None:
            left = {}
            short.on_sight(self.state, left)
            self.left = left or self.left
            short.settle(self)

    def show(self, given):
        """Set the attributes that short calls have left to be made, but for those set since."""
        short, left = self.short, self.left
        if short is not None:
            short.on_sight(self.state, given)
        for name, value in (left or {}).items():
            given.setdefault(name, value)
        self.left = None

    def waits(self):
        """Whether attributes are still to be made."""
        return self.left is not None or (self.short is not None and self.short.hidden)

    def __setstate__(self, state):
        # Saved by an earlier version, which kept these points in the user's variables too.
        state.setdefault("points", tuple(state.get("user_points", ())))
        vars(self).update(state)

    def __getstate__(self):
        self.settle()
        return {name: value for name, value in vars(self).items() if name not in ("short", "left")}

    def suits(self, plan, est, objective):
        """Whether this run can go on: same rule, same kind of variables, same model."""
        same = self.rule is plan.found or (
            type(self.rule) is type(plan.found)
            and repr(self.rule.get_params()) == repr(plan.found.get_params())
        )
        return (
            same
            and (self.inv_scale is None) == (objective.inv_scale is None)
            and bool(plan.settings.average) == self._averages()
            # ``sparsify`` turns a vector into a matrix of one row.
            and np.array_equal(self.coef.ravel(), _dense(est.coef_).ravel())
            and np.array_equal(self.intercept, est.intercept_)
        )

    def _averages(self):
        """Whether the user asked for an average."""
        memory = self.state.memory
        return memory["average"] is not None and not memory["late"]

    def again(self, objective):
        """Whether all rows so far are those of ``objective``: they moved no mean or variance."""
        if self.moments is None:
            return False
        seen = objective.seen
        return _equal(self.moments.mean, seen.mean) and _equal(self.moments.var, seen.var)

    def resumed(self, objective):
        """Return a copy of the state in the variables of ``objective``."""
        state = self.state.copy()
        memory = state.memory
        same = _equal(self.shift, objective.shift) and _equal(self.inv_scale, objective.inv_scale)
        if not same:
            # The function stays the same; only its coordinates move.
            move = self._mover(objective)
            state.theta = move(state.theta)
            if memory["average"] is not None:
                memory["average"] = move(memory["average"])
            for name in self.points:
                memory[name] = np.array([move(one) for one in memory[name]])
            if "received" in memory:
                # What is due is counted in steps, each worth ``inv_scale**2`` now.
                worth = (objective.inv_scale / self.inv_scale) ** 2
                memory["received"][:-1] *= np.tile(worth, objective.n_outputs)
        averaged = state.memory["n_averaged"] > 0
        state.point = state.memory["average"] if averaged else state.theta
        return state

    def _mover(self, objective):
        def move(theta):
            out = theta.copy()
            to_user(*objective.split(out), self.shift, self.inv_scale)
            return objective.from_user(out)

        return move


class Streamed:
    """What short calls of ``partial_fit`` leave to be made is made when it is looked at."""

    def __getattr__(self, name):
        if name in ON_SIGHT:
            self._show()
        # Where it is not there still, the error is the one that led here.
        return object.__getattribute__(self, name)

    def __delattr__(self, name):
        self._show()
        super().__delattr__(name)

    def __sklearn_is_fitted__(self):
        saved = vars(self).get("_state")
        waits = saved is not None and saved.waits()
        return waits or "coef_" in vars(self)

    def __getstate__(self):
        self._show()
        # What short calls change in place must not be shared with a copy.
        if vars(self).get("_state") is not None:
            self._state.settle()
        return super().__getstate__()

    def _show(self):
        saved = vars(self).get("_state")
        if saved is not None:
            saved.show(vars(self))

    def _predictor(self, X):
        """Return ``X @ coef_.T + intercept_`` of validated rows."""
        saved = vars(self).get("_state")
        if saved is not None and saved.short is not None:
            eta = saved.short.predictor(X, vars(self))
            if eta is not None:
                return eta
        return linear_predictor(X, self.coef_, self.intercept_)


def _equal(a, b):
    return (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))


def _dense(coef):
    return coef.toarray() if hasattr(coef, "toarray") else coef


def partial_fit(est, plan, data):
    """Do one pass over new rows, going on from where the last call ended.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Its fitted attributes are set once the step has succeeded.
    plan : Plan
        From ``read``.
    data : Data
        Validated new rows. Weights are taken as they are: the mean weight of a stream is
        not known.
    """
    active = int(np.count_nonzero(data.s))
    plain = make_problem(plan, data, est.fit_intercept, est.alpha, mass=active)
    plain.check(plan.solver)
    saved, fitted = getattr(est, "_state", None), hasattr(est, "coef_")
    if saved is not None:
        saved.settle()
    moments, rows = None, float(active)
    if plan.solver.scales(plain):
        moments = Moments.of(plain.objective)
        if saved is not None and saved.moments is not None:
            moments = saved.moments.merged(moments)
    problem = scaled_problem(plain, plan, moments)
    objective = problem.objective
    if saved is not None and fitted and saved.suits(plan, est, objective):
        rows += saved.rows
        state = saved.resumed(objective)
        if not (saved.again(objective) and plan.solver.averages_late(problem)):
            plan.solver.follow(state)
        _refresh(plan, problem, state, settled=saved.rows >= _SETTLED)
    else:
        if fitted:
            theta = objective.zeros()
            W, b = objective.split(theta)
            W[:], b[:] = _dense(est.coef_), est.intercept_
            theta = objective.from_user(theta)
        elif problem is plain:
            theta = objective.zeros()
        else:
            theta = objective.from_user(null_point(plain))
        state = plan.solver.init(problem, theta, check_random_state(est.random_state))
    begin = time.perf_counter()
    state = _guarded_step(est, plan, problem, state)
    seconds = time.perf_counter() - begin

    vars(est).update(coefficients(objective, state.point, objective.dtype, est))
    est.n_iter_, est.t_, est.solver_ = 1, state.t + 1, copy.copy(plan.found)
    # On the rows of this call: those of earlier ones are gone.
    est.loss_curve_ = np.array([state.value])
    est.history_ = {
        "value": est.loss_curve_.copy(),
        "violation": np.array([state.violation]),
        "rate": np.array([state.rate]),
        "seconds": np.array([seconds]),
    }
    est.restarts_ = np.empty(0, dtype=int)
    est.converged_, est.stop_reason_ = False, "max_iter"
    est.optimality_, est.optimality_kind_ = np.nan, "violation"
    est._state = Saved.after(plan, problem, state, est, rows)
    if rows >= _SETTLED:
        est._state.short = Short.after(est, plan, data, problem, est._state)
    return est


def short_call(est, X, y, sample_weight, classes=None):
    """Learn few rows at little cost, if this call is like the one before.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Changed only if all went well.
    X, y, sample_weight, classes : object
        As the user gave them.

    Returns
    -------
    bool
        False where `partial_fit` must do it, or say what is wrong.
    """
    saved = vars(est).get("_state")
    short = None if saved is None else saved.short
    if short is None or sample_weight is not None or not short.suits(est, X, y, classes):
        return False
    return short.learn(est, saved, X, y)


def _refresh(plan, problem, state, settled):
    """Follow parameters that may change between calls."""
    solver, memory = plan.solver, state.memory
    if not isinstance(plan.settings.eta0, str) or not settled or not memory["eta0"] > 0:
        solver.set_rate(problem, state)
    memory["batch_size"] = solver.batch_size(problem)


def _guarded_step(est, plan, problem, state):
    """Step; where F on the new rows explodes, step again from before with a smaller rate.

    One odd chunk says little about those to come: they get the old rate once more. Where
    the next one explodes too, or where no chunk went well before, the smaller rate stays.
    """
    objective = problem.objective
    zero = problem.value(objective.from_user(objective.zeros()))
    before, first_scale = state.copy(), state.rate_scale

    def well(state, bound):
        return _finite(state) and plan.solver.judged(problem, state.point, state.value) <= bound

    tried = plan.solver.step(problem, state)
    if well(tried, divergence_bound(plan, objective, zero)):
        tried.memory["lowered"] = False
        return tried
    begun = plan.solver.judged(problem, before.theta, problem.value(before.theta))
    bound = divergence_bound(plan, objective, zero, begun)
    rate, value = tried.rate, tried.value
    for _ in range(_RETRIES):
        if well(tried, bound):
            break
        before.rate_scale *= 0.1
        tried = plan.solver.step(problem, before.copy())
    else:
        # Whatever the rate: these rows are passed over, and the rate is not to blame.
        before.rate_scale = first_scale
        before.value = problem.value(before.point)
        _warn(f"F on these rows is {before.value:.3g} whatever the rate: nothing was learnt.")
        return before
    if tried.rate_scale < first_scale:
        if not isinstance(est.eta0, str):
            _warn(
                f"The rate is too large for these rows: with learning_rate="
                f"{est.learning_rate!r}, eta0={est.eta0!r} (rate {rate:.3g}) F rose to "
                f"{value:.3g}; the step was done with rate {tried.rate:.3g} instead. Lower "
                "eta0, scale the columns of X, or leave eta0='auto' and learning_rate='auto'."
            )
        if before.t > 0 and not before.memory.get("lowered", False):
            tried.rate_scale = first_scale
            # Nor must what the odd rows left in the rule's memory drive later steps.
            tried.memory["vectors"] = before.memory["vectors"]
        tried.memory["lowered"] = True
    return tried


def _finite(state):
    # With a log link F may be finite where an intercept is not.
    return np.isfinite(state.theta).all() and np.isfinite(state.point).all()


def _warn(message):
    warnings.warn(message, ConvergenceWarning, stacklevel=6)
