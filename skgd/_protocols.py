"""The records that objectives, solvers and callbacks exchange."""

import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Event",
    "RateContext",
    "Record",
    "Rescale",
    "Result",
    "Rows",
    "Settings",
    "State",
    "Stop",
]


_ATOMS = frozenset([int, float, bool, str, type(None), np.float64, np.int64])


class Rows(NamedTuple):
    """Rows in host memory, as the kernels read them.

    ``data``, ``indices`` and ``indptr`` are those of a CSR matrix; for a dense one
    ``data`` is ``X.ravel()`` (a view) and the other two are empty.
    """

    dense: bool
    data: Any  # (nnz,) or (n_rows * n_features,)  float32 or float64
    indices: Any  # (nnz,)  int32 or int64
    indptr: Any  # (n_rows + 1,)  same type as indices
    n_features: int
    y: Any  # (n_rows,) or (n_rows, n_outputs)  float64
    codes: bool  # y holds class numbers; output j learns +1 where y == j, else -1
    s: Any  # (n_rows,)  float64, weights


class RateContext(NamedTuple):
    """What a schedule may know besides the step number."""

    eta0: float  # initial rate
    horizon: int  # passes (or batch steps) of the whole run, ``max_iter``
    alpha: float  # strength of the penalty
    loss: Any  # for the rate of Bottou's "optimal"
    power_t: float  # exponent of "invscaling" where it is named by string


@dataclass(frozen=True, eq=False)
class Settings:
    """What the estimator tells a solver beside the solver's own hyper-parameters."""

    schedule: Any = None  # None: the solver's own choice
    eta0: float | str = "auto"
    batch_size: int | str = "auto"
    clip_norm: float | None = None
    clip_value: float | None = None
    shuffle: bool = True
    average: bool | int = False
    horizon: int = 1000
    cools: bool = False  # whether rates from the data have cooled down by the end of the horizon
    sure: bool = False  # and whether the run surely lasts so long
    power_t: float = 0.5
    violation: bool = False  # compute the violation at each step, though it costs a pass


@dataclass(eq=False)
class State:
    """All that changes during a run; plain arrays and numbers, so it pickles.

    Parameters
    ----------
    theta : ndarray of shape (n_params,)
        The iterate, in the variables of the objective: coefficients, then intercepts.
    point : ndarray of shape (n_params,), default=None
        What a model made now would use: the average, if one is kept. ``value`` and
        ``violation`` belong to it, never to another iterate.
    t : int, default=0
        Gradient steps done since the first fit.
    passes : int, default=0
        Iterations of the driver done since the first fit.
    value : float, default=nan
        F at ``point``.
    violation : float, default=nan
        Of the optimality conditions at ``point``.
    rate : float, default=nan
        Of the last step.
    rate_scale : float, default=1.0
        Plateau rules and the divergence guard multiply it.
    more : bool, default=False
        Whether another step follows unless a callback stops the run.
    ahead : State or None, default=None
        After the next step, where a solver is that far already.
    memory : dict, default={}
        What else the solver keeps.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.solvers import State
    >>> state = State(np.zeros(2))
    >>> state.memory["velocity"] = np.ones(2)
    >>> kept = state.copy()
    >>> state.memory["velocity"] *= 0.5
    >>> kept.memory["velocity"]
    array([1., 1.])
    """

    theta: Any
    point: Any = None
    t: int = 0
    passes: int = 0
    value: float = np.nan
    violation: float = np.nan
    rate: float = np.nan
    rate_scale: float = 1.0
    more: bool = False
    ahead: Any = None
    memory: dict = field(default_factory=dict)

    def copy(self):
        """Return a state that shares nothing with this one; arrays stay shared within it."""
        known = {}
        return State(**{name: _copied(value, known) for name, value in vars(self).items()})


def _copied(value, known):
    """Do what `copy.deepcopy` does, without its detours, for what states hold most."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    key = id(value)
    if key not in known:
        if kind is np.ndarray and value.base is None:
            known[key] = value.copy()
        elif kind is tuple or kind is list:
            known[key] = kind(_copied(one, known) for one in value)
        elif kind is dict:
            known[key] = {name: _copied(one, known) for name, one in value.items()}
        elif kind is State:
            known[key] = value.copy()
        elif kind is np.random.Generator:  # all of skgd's are those of default_rng
            known[key] = np.random.default_rng(0)
            known[key].bit_generator.state = value.bit_generator.state
        else:
            known[key] = copy.deepcopy(value, known.setdefault(-1, {}))
    return known[key]


@dataclass(frozen=True, eq=False)
class Event:
    """What callbacks see after an iteration; nothing in it may be changed."""

    iteration: int
    t: int
    passes: int
    seconds: float
    value: float
    violation: float
    rate: float
    theta: Any  # (n_params,)  read-only view of the point
    state: Any = None  # all that the solver keeps


@dataclass(frozen=True, eq=False)
class Stop:
    """A callback's wish to end the run.

    Parameters
    ----------
    reason : str
        What ``stop_reason_`` will be.
    theta : ndarray of shape (n_params,), default=None
        The point to end at; None ends at the last.
    value : float, default=nan
        F there, where it is known.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.callbacks import Stop
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", max_iter=50, tol=None)
    >>> est.set_callbacks(lambda event: Stop("enough") if event.value < 2000 else None)
    ... # doctest: +ELLIPSIS
    GDRegressor(...)
    >>> est.fit(X, y).stop_reason_
    'enough'
    """

    reason: str
    theta: Any = None
    value: float = np.nan  # F there, where it is known


@dataclass(frozen=True, eq=False)
class Rescale:
    """A callback's wish to multiply the rate.

    Parameters
    ----------
    factor : float
        Above 0.
    theta : ndarray of shape (n_params,), default=None
        A point to go back to; None stays.
    value : float, default=nan
        F there.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.callbacks import Rescale
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd", eta0=0.1, learning_rate="constant", max_iter=4, tol=None)
    >>> est = est.set_callbacks(lambda event: Rescale(0.5) if event.iteration == 2 else None)
    >>> est.fit(X, y).history_["rate"]
    array([0.1 , 0.1 , 0.05, 0.05])
    """

    factor: float
    theta: Any = None
    value: float = np.nan


@dataclass(eq=False)
class Result:
    """How a run ended."""

    state: State
    reason: str
    n_iter: int
    interrupt: BaseException | None = None


@dataclass(eq=False)
class Record:
    """A fit between two iterations, as a checkpoint holds it."""

    version: str
    estimator: Any  # its class and parameters; not fitted
    fitted: dict  # attributes of a model made now
    data: dict  # what tells the rows from others
    rng: dict  # the random generator before the fit drew from it
    iteration: int
    seconds: float
    state: State
    watch: list  # what the rules to stop keep, one dict each
