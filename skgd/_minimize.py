"""Rules and solvers on a plain function: what `scipy.optimize.minimize` calls."""

import inspect
import re
from numbers import Real

import numpy as np
from scipy.optimize import Bounds, OptimizeResult
from sklearn.utils import check_random_state

from ._driver import run
from ._problem import Problem
from ._protocols import Settings, Stop
from ._ranges import check_flag, check_number
from .callbacks import DivergenceGuard, Lines, Optimality, Plateau
from .objectives import FunctionObjective
from .penalties import NoPenalty, Penalty
from .rules import RULES, Rule
from .schedules import Adaptive, Optimal, resolve_schedule
from .solvers import AGD, GD, LBFGS, Stochastic, as_solver

__all__ = ["OPTIONS", "minimize"]

OPTIONS = {
    "maxiter": None,
    "tol": None,
    "learning_rate": None,
    "eta0": None,
    "clip_norm": None,
    "clip_value": None,
    "noise": 0.0,
    "random_state": None,
    "guard": None,
    "return_path": False,
    "disp": False,
}
_MAX_ITER = 1000
_TOL = 1e-5  # of the largest entry of the gradient, as in SciPy
_RATE = 0.01  # of rules whose moves are about one rate long; AdaDelta's have units of their own
_KNOWN = (AGD, GD, LBFGS, Rule, Stochastic)

# Word of the driver -> SciPy's status, success and message.
_ENDS = {
    "converged": (0, True, "No entry of the (projected) gradient exceeds tol={tol:g}."),
    "max_iter": (1, False, "Stopped after maxiter={maxiter} steps, before tol={tol:g} was met."),
    "no_improvement": (
        2,
        False,
        "No lower point can be told from this one, or the rate is tiny, before tol={tol:g} was "
        "met.",
    ),
    "diverged": (
        3,
        False,
        "The function or its gradient is not finite at x: the rate is too large, or the function "
        "has no minimum. Lower learning_rate, or set guard=True.",
    ),
    "callback": (99, False, "`callback` raised `StopIteration`."),
}


class _Box(Penalty):
    """Zero within bounds and infinite outside, so that its prox is the projection."""

    separable = True

    def __init__(self, low=None, high=None):
        self.low = low
        self.high = high

    def value(self, coef, xp):
        return 0.0 if ((coef >= self.low) & (coef <= self.high)).all() else np.inf

    def prox(self, coef, t, xp):
        return xp.clip(coef, self.low, self.high)


class _Record:
    """Remembers the best point and the path, tells the user's callback, sees overflow."""

    def __init__(self, theta, value, callback, keep):
        self.x_best, self.fun_best = theta.copy(), value
        self.path = [theta.copy()] if keep else None
        self.path_fun = [value]
        self.tell = None if callback is None else _told(callback)

    def __call__(self, event):
        if self.path is not None:
            self.path.append(event.theta.copy())
            self.path_fun.append(event.value)
        if event.value < self.fun_best:
            self.x_best, self.fun_best = event.theta.copy(), event.value
        if self.tell is not None:
            try:
                self.tell(event.theta.copy(), event.value)
            except StopIteration:
                return Stop("callback")
        finite = np.isfinite(event.value) and np.isfinite(event.violation)
        return None if finite else Stop("diverged")


def _told(callback):
    """Return a function of a point and its value, whichever of SciPy's signatures is meant."""
    try:
        whole = set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):  # compiled code that does not tell
        whole = False
    if whole:
        return lambda x, value: callback(intermediate_result=OptimizeResult(x=x, fun=value))
    return lambda x, value: callback(x)


def minimize(method, fun, x0, args, jac, bounds, callback, options, unused):
    """Minimise a function by a rule or solver.

    Parameters
    ----------
    method : Rule or Solver
        One that needs no rows.
    fun, x0, args, jac, bounds, callback : object
        As in `scipy.optimize.minimize`.
    options : dict
        Names of `OPTIONS`.
    unused : dict
        Arguments of SciPy's that no method here has a use for, by name.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``x``, ``fun`` and ``jac`` at the last point, ``x_best`` and ``fun_best`` of the best
        one, ``nit``, ``nfev``, ``njev``, ``success``, ``status``, ``message``; with
        ``return_path=True`` also ``path`` and ``path_fun``.

    Raises
    ------
    ValueError, TypeError
        If the method needs rows, an option is unknown or out of range, something is given
        that the method would ignore, or the function is not finite at ``x0``.
    """
    name = _checked_method(method)
    given = _checked_options(name, method, options, unused)
    x = _start(x0)
    box = _box(bounds, len(x))
    if box is not None:
        if name == "LBFGS":
            raise ValueError(
                "LBFGS keeps no bounds, since its steps are not projected. Use AGD(), GD() or a "
                "rule, or SciPy's method='L-BFGS-B'."
            )
        x = np.clip(x, *box)
    fun, jac = _with_arguments(fun, jac, args)
    rng = check_random_state(given["random_state"])
    objective = FunctionObjective(fun, jac, len(x), given["noise"], rng, box)
    penalty = NoPenalty() if box is None else _Box(*box)
    problem = Problem(objective, penalty, 0.0 if box is None else 1.0)

    with np.errstate(over="ignore", invalid="ignore"):
        value, grad = problem.value_grad(x)
        slope = f"the gradient, by {'differences of ' if jac is None else ''}"
        slope += (fun if jac is None else jac).__qualname__
        for what, found in ((fun.__qualname__, value), (slope, grad)):
            if not np.isfinite(found).all():
                raise ValueError(
                    f"{what} must be finite at x0={x} of shape {x.shape}; got {found}. Begin "
                    "elsewhere."
                )
        settings, ours = _settings(method, given, problem, x)
        solver = as_solver(_inner(method), settings)
        problem.check(solver)
        state = solver.init(problem, x, rng)
        record = _Record(x, value, callback, given["return_path"])
        callbacks = [record]
        if given["tol"] is not None:
            callbacks.append(Optimality(given["tol"], 1.0, state.memory))
        if given["guard"] or (given["guard"] is None and ours):
            blame = None if ours else _blame(given)
            advice = "Lower learning_rate, or leave it out."
            bound = value + 1.0 + abs(value)
            guard = DivergenceGuard(x, value, bound, blame, "this function", advice, stacklevel=6)
            callbacks.insert(0, guard)
        if isinstance(settings.schedule, Adaptive):
            schedule = settings.schedule
            callbacks.append(Plateau(0.0, schedule.patience, schedule.factor))
        if given["disp"]:
            callbacks.insert(0, Lines(name))
        there = given["tol"] is not None and problem.violation(x, grad) <= given["tol"]
        result = run(problem, solver, state, callbacks, 0 if there else given["maxiter"])
        if result.interrupt is not None:
            raise result.interrupt
        return _result(problem, result, "converged" if there else result.reason, record, given)


def _result(problem, result, reason, record, given):
    status, success, message = _ENDS[reason]
    if given["tol"] is None:
        message = re.sub(", before tol=.* met", ", with noise and no tol to meet", message)
    objective, x = problem.objective, result.state.point.copy()
    found = OptimizeResult(
        x=x,
        fun=objective.value_at(x),
        jac=objective.gradient_at(x),
        nit=result.n_iter,
        status=status,
        success=success,
        message=message.format(**given),
        x_best=record.x_best,
        fun_best=record.fun_best,
    )
    found.update(nfev=objective.nfev, njev=objective.njev)
    if record.path is not None:
        found.update(path=np.array(record.path), path_fun=np.array(record.path_fun))
    return found


# -- what is given --------------------------------------------------------------------


def _inner(method):
    """Return the rule that a method wraps, or itself."""
    return method.rule if isinstance(method, Stochastic) else method


def _checked_method(method):
    """Return the name of a method that needs no rows, or raise with those that do not."""
    # A subclass may need more than the class it is made from: Newton is an LBFGS with rows.
    plain = isinstance(method, (Rule, Stochastic)) or type(method) in _KNOWN
    name = type(_inner(method)).__name__
    if not plain:
        able = ", ".join(sorted({c.__name__ for c in (AGD, GD, LBFGS, *RULES.values())}))
        raise ValueError(
            f"{name} works on the rows of a data set, so it cannot minimise a plain function. "
            f"Those that can: {able}."
        )
    method.check()
    return name


def _checked_options(name, method, options, unused):
    for key, value in unused.items():
        empty = value is None or (np.ndim(value) == 1 and len(value) == 0)
        if not empty:
            way = "bounds, or method='SLSQP'" if key == "constraints" else "method='trust-ncg'"
            raise ValueError(f"{name} has no use for {key}; leave it out, or use SciPy's {way}.")
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise ValueError(
            f"{name} knows no option {unknown[0]!r}. Known: {', '.join(map(repr, OPTIONS))}."
        )
    given = {**OPTIONS, **options}
    inner = _inner(method)
    for key, own in (("maxiter", inner.max_iter), ("learning_rate", inner.learning_rate)):
        if own is not None and given[key] is not None:
            raise ValueError(
                f"{key} is given twice: {name} was made with {own!r}, and the options have "
                f"{given[key]!r}. Leave one of them out."
            )
        given[key] = own if given[key] is None else given[key]
    given["maxiter"] = _MAX_ITER if given["maxiter"] is None else given["maxiter"]
    check_number("maxiter", given["maxiter"], low=1, integer=True)
    check_number("noise", given["noise"], low=0)
    if given["tol"] is None:
        # With noise a gradient that vanishes is no place to stay: saddles are left.
        given["tol"] = None if given["noise"] > 0 else _TOL
    else:
        check_number("tol", given["tol"], low=0)
    for key in ("clip_norm", "clip_value", "eta0"):
        if given[key] is not None:
            check_number(key, given[key], low=0, closed="neither")
    for key in ("return_path", "disp"):
        check_flag(key, given[key])
    if given["guard"] is not None:
        check_flag("guard", given["guard"])
    if given["noise"] > 0 and isinstance(method, (AGD, GD, LBFGS)):
        raise ValueError(
            f"noise is for rules, which take gradients as they come; {name} compares values. "
            "Use SGD() for gradient descent with noise."
        )
    return given


def _settings(method, given, problem, x):
    """Return the settings of a run, and whether its rate is of our own making."""
    rate, eta0, schedule = given["learning_rate"], given["eta0"], None
    if isinstance(rate, Real):
        check_number("learning_rate", rate, low=0, closed="neither")
        if eta0 is not None:
            raise ValueError(
                f"learning_rate={rate!r} and eta0={eta0!r} are two rates. Leave one of them out, "
                "or give learning_rate a schedule."
            )
        eta0 = rate
    elif rate is not None:
        schedule = resolve_schedule(rate)
        if isinstance(schedule, Optimal):
            raise ValueError(
                "learning_rate='optimal' divides by the strength of a penalty, and a function has "
                "none. Use 'invscaling' or 'cosine'."
            )
    ours = eta0 is None and (schedule is None or not schedule.absolute)
    if ours and isinstance(method, (Rule, Stochastic)):
        eta0 = _first_rate(_inner(method), problem, x)
    settings = Settings(
        schedule=schedule,
        eta0="auto" if eta0 is None else float(eta0),
        batch_size=1,
        clip_norm=given["clip_norm"],
        clip_value=given["clip_value"],
        shuffle=False,
        horizon=given["maxiter"],
        violation=True,
    )
    return settings, ours


def _first_rate(rule, problem, x):
    """Return a rate for a rule that was given none."""
    if rule.adaptive:
        return 1.0 if rule.name == "adadelta" else _RATE
    constant = problem.smoothness(x)
    rate = 1.0 / constant if 0.0 < constant < np.inf else 1.0
    # Of the heavy ball and Nesterov's: a gradient counts 1 / (1 - momentum) times in the end.
    return rate * (1.0 - getattr(rule, "momentum", 0.0))


def _blame(given):
    rate = given["learning_rate"] if given["eta0"] is None else given["eta0"]
    return f"learning_rate={rate!r}"


def _start(x0):
    x = np.atleast_1d(np.asarray(x0))
    if x.ndim != 1:
        raise ValueError(f"x0 must have one dimension; got shape {x.shape}. Write x0.ravel().")
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x0 must hold real numbers; got dtype {x.dtype}.")
    if not np.isfinite(x).all() or not len(x):
        raise ValueError(f"x0 must hold finite numbers, one at least; got {x}.")
    return x.astype(float)


def _box(bounds, n):
    """Return lowest and highest values, or None where there are none."""
    if bounds is None:
        return None
    if isinstance(bounds, Bounds):
        pairs = bounds.lb, bounds.ub
    else:
        rows = list(bounds)
        if len(rows) != n or any(np.size(row) != 2 for row in rows):
            raise ValueError(
                f"bounds must hold a pair (low, high) for each of the {n} entries of x0; got "
                f"{bounds!r}."
            )
        pairs = (
            [-np.inf if low is None else low for low, _ in rows],
            [np.inf if high is None else high for _, high in rows],
        )
    low, high = (np.broadcast_to(np.asarray(side, dtype=float), n).copy() for side in pairs)
    if not (low <= high).all():
        raise ValueError(f"bounds must have low <= high; got low={low}, high={high}.")
    return low, high


def _with_arguments(fun, jac, args):
    """Return function and gradient of ``x`` alone."""
    args = args if isinstance(args, tuple) else (args,)
    if not callable(fun):
        raise TypeError(f"fun must be callable; got {fun!r}.")
    if jac is True:  # SciPy itself has split such a function before it calls here
        whole = {}

        def look(x):
            if "x" not in whole or not np.array_equal(whole["x"], x):
                value, grad = fun(x, *args)
                whole.update(x=x.copy(), value=value, grad=grad)
            return whole

        return _named(fun, lambda x: look(x)["value"]), _named(fun, lambda x: look(x)["grad"])
    if jac is None or jac is False:
        return _named(fun, lambda x: fun(x, *args)), None
    if not callable(jac):
        raise TypeError(f"jac must be callable, True or None; got {jac!r}.")
    return _named(fun, lambda x: fun(x, *args)), _named(jac, lambda x: jac(x, *args))


def _named(function, inner):
    """Give ``inner`` the name that messages are to have."""
    inner.__qualname__ = getattr(function, "__qualname__", None) or repr(function)
    return inner
