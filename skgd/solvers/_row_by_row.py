"""What solvers share that take a row a step at rates of their own."""

import numpy as np

from ._base import Solver

__all__ = ["RowByRow", "run_block"]


class RowByRow(Solver):
    """A solver for streams that makes its own point from rows that come one by one."""

    streams = True
    stochastic = True
    # What a stream asks of the memory of every state.
    nothing_kept = {
        "average": None,
        "n_averaged": 0,
        "late": False,
        "vectors": None,
        "batch_size": 1,
    }

    def certifies(self, problem):
        """Never: a single gradient of all rows is not among the steps."""
        return False

    def averages_late(self, problem):
        """Never: the solver knows itself what the point is."""
        return False

    def follow(self, state):
        """Do nothing: the point is that of a stream from the first."""

    def batch_size(self, problem):
        """Return 1: a row a step."""
        return 1

    def _look(self, problem, state):
        """Take F at the point, and the violation where it is wanted."""
        state.value = problem.value(state.point)
        if self.settings.violation:
            state.violation = problem.violation(state.point, problem.value_grad(state.point)[1])


def run_block(objective, kernel, twin, args):
    """Run a kernel over rows, or its twin where the loss has no compiled form.

    Parameters
    ----------
    objective : LinearObjective or ScaledObjective
        Whose rows and loss.
    kernel : callable
        ``kernel(rows, *args, pointwise)``.
    twin : callable
        ``twin(X, y, s, *args, slope)``, of `skgd._kernels._reference`.
    args : tuple
        What both take.
    """
    if objective.memory() is not None:
        return kernel(objective.memory(), *args, objective.pointwise())
    inner = getattr(objective, "inner", objective)
    return twin(inner.X, objective.y, objective.s, *args, _slope_of(objective))


def _slope_of(objective):
    loss, flat = objective.loss, objective.y.ndim == 1 and objective.n_outputs > 1

    def slope(y, eta):
        if flat:  # class numbers
            return loss.gradient(np.array([y]), eta[None], np)[0]
        return np.atleast_1d(loss.gradient(np.atleast_1d(y), eta, np))

    return slope
