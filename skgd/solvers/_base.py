"""What every solver is: hyper-parameters, ``init`` and ``step``."""

from .._component import Component
from .._method import Method
from .._protocols import Settings

__all__ = ["Solver"]


class Solver(Method, Component):
    """A way of descending; everything that changes lives in `State`.

    A subclass gives ``init(problem, theta, rng)`` and ``step(problem, state)``. What the
    estimator decides (rates, clipping, batches) arrives in ``settings``.

    Examples
    --------
    Steps of one length, from the largest curvature:

    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import Solver, State
    >>> class Plain(Solver):
    ...     def init(self, problem, theta, rng):
    ...         state = State(theta.copy())
    ...         state.memory["rate"] = 1 / problem.smoothness(theta)
    ...         return self._seen(problem, state)
    ...     def step(self, problem, state):
    ...         rate = state.memory["rate"]
    ...         state.theta = problem.prox(state.theta - rate * state.memory["grad"], rate)
    ...         state.t, state.passes = state.t + 1, state.passes + 1
    ...         return self._seen(problem, state)
    ...     def _seen(self, problem, state):
    ...         state.point = state.theta
    ...         state.value, state.memory["grad"] = problem.value_grad(state.theta)
    ...         state.violation = problem.violation(state.theta, state.memory["grad"])
    ...         return state
    >>> X, y = load_diabetes(return_X_y=True)
    >>> GDRegressor(solver=Plain(), penalty="l1", alpha=0.1).fit(X, y).converged_
    True
    """

    settings = Settings()
    needs = frozenset()
    streams = False  # may partial_fit feed it new rows?
    stochastic = False
    points = ()  # names in the state's memory of arrays whose last axis is that of ``theta``

    def with_settings(self, settings):
        """Return a copy that follows ``settings``."""
        found = type(self)(**self.get_params(deep=False))
        found.settings = settings
        return found

    def certifies(self, problem):
        """Whether ``violation`` is computed at each step and may stop the run."""
        return True

    def scales(self, problem):
        """Whether the solver works best in centred, scaled variables."""
        return wants_scaling(self.settings)

    def judged(self, problem, theta, value):
        """Return what tells whether steps on new rows went well: F, where steps lower that.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        theta : ndarray of shape (n_params,)
            Point.
        value : float
            F there.

        Returns
        -------
        float
            Not above F.
        """
        return value

    def few_rows(self, problem, state):
        """Return what steps on the rows of small calls, or None where there is nothing for them.

        Parameters
        ----------
        problem : Problem
            Of an earlier call, in scaled variables, which stay those of the calls to come.
        state : State
            After that call; its arrays are changed in place from now on.

        Returns
        -------
        FewRows or None
            None also where loss or penalty have no compiled form, or the point is a mean.
        """
        return None

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``, forgetting what led away from it."""
        state.theta = theta.copy()
        state.point = state.theta
        state.value = value


def wants_scaling(settings):
    """Whether rates are ours to choose: a rate the user gives is in the user's variables."""
    schedule = settings.schedule
    absolute = schedule is not None and schedule.absolute
    return isinstance(settings.eta0, str) and not absolute
