"""Checks of the estimators' parameters, and the objects that they name."""

import functools
import math
import numbers
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
from sklearn.metrics import check_scoring

from ._compat import thread_count
from ._protocols import Settings
from .losses import resolve_loss
from .penalties import resolve_penalty
from .schedules import Adaptive, Optimal, resolve_schedule
from .solvers import as_solver, automatic, automatic_stream, resolve_solver

__all__ = ["Plan", "decided", "one_scorer", "read"]

_PASSES = 20  # of a fit, from which rates from the data cool down before it ends
_PLAIN = frozenset([str, int, float, bool])  # types whose values never change


@dataclass(frozen=True, eq=False)
class Plan:
    """What the parameters of an estimator stand for, checked."""

    loss: object
    penalty: object
    schedule: object
    found: object  # the solver or rule, as the user may see it
    solver: object  # the same, ready to run
    settings: Settings
    n_threads: int
    automatic: bool  # whether the solver is still to be chosen, by the data


def _real(est, name, low, high=math.inf, *, open_low=False, open_high=False, none=False):
    value = getattr(est, name)
    if value is None and none:
        return
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number{' or None' if none else ''}; got {value!r}.")
    below = value <= low if open_low else value < low
    above = value >= high if open_high else value > high
    if below or above or math.isnan(value):
        left, right = "(" if open_low else "[", ")" if open_high else "]"
        raise ValueError(f"{name} must be in {left}{low:g}, {high:g}{right}; got {value!r}.")


def _integer(est, name, low):
    value = getattr(est, name)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer; got {value!r}.")
    if value < low:
        raise ValueError(f"{name} must be at least {low}; got {value!r}.")


def _flag(est, name):
    value = getattr(est, name)
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r}.")


def _check_plain(est):
    _real(est, "alpha", 0.0, open_high=True)
    if est.penalty == "elasticnet" or est.l1_ratio is not None:
        _real(est, "l1_ratio", 0.0, 1.0)
    _real(est, "tol", 0.0, none=True)
    _real(est, "power_t", 0.0, open_high=True)
    _real(est, "validation_fraction", 0.0, 1.0, open_low=True, open_high=True)
    _real(est, "epsilon", 0.0, open_high=True)
    _real(est, "clip_norm", 0.0, open_low=True, none=True)
    _real(est, "clip_value", 0.0, open_low=True, none=True)
    _integer(est, "max_iter", 1)
    _integer(est, "n_iter_no_change", 1)
    for name in ("fit_intercept", "shuffle", "early_stopping", "warm_start"):
        _flag(est, name)
    if not isinstance(est.verbose, (numbers.Integral, np.bool_)):
        raise TypeError(f"verbose must be an integer; got {est.verbose!r}.")
    if not isinstance(est.average, (numbers.Integral, np.bool_)):
        raise TypeError(f"average must be True, False or a step number; got {est.average!r}.")
    if est.average < 0:
        raise ValueError(f"average must not be negative; got {est.average!r}.")
    if isinstance(est.batch_size, str):
        if est.batch_size != "auto":
            raise ValueError(
                f"batch_size must be 'auto' or a positive integer; got {est.batch_size!r}."
            )
    else:
        _integer(est, "batch_size", 1)


def _check_eta0(est, schedule):
    if isinstance(est.eta0, str):
        if est.eta0 != "auto":
            raise ValueError(f"eta0 must be 'auto' or a positive number; got {est.eta0!r}.")
        return
    # SGD* code carries eta0=0.0 along where the schedule does not use it.
    unused = schedule is not None and schedule.absolute
    _real(est, "eta0", 0.0, math.inf, open_low=not unused, open_high=True)


def _refuse_minimize(found):
    """Raise where a solver was given what `scipy.optimize.minimize` alone takes from it."""
    ways = {
        "learning_rate": "eta0=... (a rate) or learning_rate=... (a schedule)",
        "max_iter": "max_iter=...",
    }
    for name, way in ways.items():
        value = getattr(found, name)
        if value is not None:
            raise ValueError(
                f"solver={type(found).__name__}({name}={value!r}) is for scipy.optimize.minimize: "
                f"an estimator has one place for {name}. Leave it out of the solver, and give "
                f"{way} to the estimator."
            )


def read(est, kind, method):
    """Check all parameters of an estimator and resolve those that name objects.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Only its constructor parameters are read, and none is changed.
    kind : {"classification", "regression"}
        Which losses are allowed.
    method : {"fit", "partial_fit"}
        Who asks; ``solver="auto"`` depends on it, and in ``fit`` on the data (`decided`).

    Returns
    -------
    Plan

    Raises
    ------
    ValueError, TypeError
        Naming the parameter, its value, and what it may be.
    """
    if method == "partial_fit":
        key = plain_key(est)
        if key is not None:
            plan = _read_once(kind, key)
            return replace(plan, n_threads=thread_count(getattr(est, "n_jobs", None)))
    return _read(est, kind, method)


def plain_key(est):
    """Return the parameters as a key, or None where one is an object that may change."""
    values = tuple((name, getattr(est, name)) for name in est._get_param_names())
    plain = all(value is None or type(value) in _PLAIN for _, value in values)
    # 1 and True and 1.0 are equal, and not the same parameter.
    return tuple((name, type(value), value) for name, value in values) if plain else None


@functools.lru_cache(maxsize=64)
def _read_once(kind, key):
    """Read parameters that have been read before only once: streams ask at every call."""
    return _read(SimpleNamespace(**{name: value for name, _, value in key}), kind, "partial_fit")


def _read(est, kind, method):
    _check_plain(est)
    loss = resolve_loss(est.loss, kind, est.epsilon)
    penalty = resolve_penalty(est.penalty, est.l1_ratio)
    schedule = resolve_schedule(est.learning_rate)
    if isinstance(est.learning_rate, str) and est.learning_rate == "adaptive":
        schedule = Adaptive(patience=est.n_iter_no_change)
    _check_eta0(est, schedule)
    if isinstance(schedule, Optimal) and not est.alpha > 0:
        raise ValueError(
            f"learning_rate='optimal' divides by alpha, which must then be positive; got "
            f"alpha={est.alpha!r}. Use learning_rate='auto' or 'invscaling'."
        )
    ours = isinstance(est.solver, str) and est.solver == "auto"
    cools = method == "fit" and est.max_iter >= _PASSES
    settings = Settings(
        schedule=schedule,
        eta0=est.eta0 if isinstance(est.eta0, str) else float(est.eta0),
        batch_size=est.batch_size,
        clip_norm=est.clip_norm,
        clip_value=est.clip_value,
        shuffle=bool(est.shuffle),
        average=int(est.average),
        horizon=int(est.max_iter),
        cools=cools,
        sure=cools and est.tol is None and not est.early_stopping,
        power_t=est.power_t,
        violation=est.verbose > 0,
    )
    name = automatic_stream(loss, penalty, settings) if ours else est.solver
    found = resolve_solver(name)
    _refuse_minimize(found)
    return Plan(
        loss=loss,
        penalty=penalty,
        schedule=schedule,
        found=found,
        solver=as_solver(found, settings),
        settings=settings,
        n_threads=thread_count(getattr(est, "n_jobs", None)),
        automatic=ours and method == "fit",
    )


def decided(plan, problem):
    """Return the plan with the solver that ``"auto"`` stands for on this problem.

    Parameters
    ----------
    plan : Plan
        From `read`.
    problem : Problem
        In the user's variables.

    Returns
    -------
    Plan
        The same one where the user named the solver.
    """
    if not plan.automatic:
        return plan
    found = resolve_solver(automatic(problem, plan.settings))
    return replace(plan, found=found, solver=as_solver(found, plan.settings), automatic=False)


def one_scorer(est, scoring):
    """Return scikit-learn's scorer of an estimator.

    Raises
    ------
    TypeError
        If ``scoring`` is several, which leave open what is best.
    ValueError
        If it is not known.
    """
    if isinstance(scoring, (list, tuple, set, dict)):
        raise TypeError(
            "scoring must be None, 'loss', the name of a scorer of scikit-learn or a callable, one "
            f"that says what is best; got {scoring!r}."
        )
    return check_scoring(est, scoring=scoring)
