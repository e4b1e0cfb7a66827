"""Steps of an l1 problem on the columns that matter, so that the cost follows the non-zeros."""

from typing import NamedTuple

import numpy as np

from ._curvature import FACTORED
from ._line_search import Arrival

__all__ = [
    "BY_DESCENT",
    "BY_FACTORS",
    "BY_ROWS",
    "MANY_STEPS",
    "Manner",
    "chosen_columns",
    "restricted_step",
]

_FIRST = 64  # columns to begin with
_MORE = 2.0  # columns for each that is not zero
_FULL, _TOO_MANY = 0.97, 2.0  # columns that all were needed, and as many that still want to be
_CROWDED = 0.75  # of the most there may be, from which others find no room
_LEAST = 400  # columns, whose factors cost a few milliseconds
_PASSES = 300.0  # cube of the columns whose factors cost a few tens of passes, over the entries
_EAGER = 0.75  # of the columns that want to be among them
_MOVES = 12  # that add up no rounding worth a thought
_AGAIN = 100  # steps after which columns that were too many are counted again


class Manner(NamedTuple):
    """How far the problem of some columns is solved.

    Parameters
    ----------
    name : str
        Under which a solver's memory keeps how many columns were chosen last.
    part : float
        Of all columns, how many there may be.
    wanted : float
        Of all columns, how many may want to be among them: the optimum over a part is a bad start
        for steps of rows where nearly all do.
    factored : bool
        Whether steps factor a matrix of the columns, so that many are too dear.
    solved : float
        Part of the violation that may be left.
    steps : int
        At most.
    readings : float
        What these may cost together at most, in readings of X.
    eager : float
        Of the columns that want to be among them, the part that is taken at once; it is three
        quarters at least where there are as many rows as columns.
    copies : int
        Of the entries of these columns.
    """

    name: str
    part: float
    wanted: float
    factored: bool
    solved: float
    steps: int
    readings: float
    eager: float = 1.0
    copies: int = 1


BY_DESCENT = Manner("columns", 0.9, 1.0, False, 0.1, 12, np.inf, eager=0.25, copies=2)
BY_FACTORS = Manner("columns", 0.5, 1.0, True, 1e-2, 12, np.inf)
BY_ROWS = Manner("columns", 0.5, 0.8, False, 0.1, 40, 4.0)
MANY_STEPS = Manner("most_columns", 0.9, 1.0, False, 0.3, 100, np.inf)


def chosen_columns(problem, theta, grad, last, manner=BY_FACTORS):
    r"""Return the columns that are not zero, and those nearest to leaving zero.

    These have the largest :math:`|g_j| / \lambda_j`, above 1 where zero is not optimal.

    Parameters
    ----------
    problem : Problem
        With an l1 part.
    theta, grad : ndarray of shape (n_params,)
        Point, and the gradient of the smooth part there.
    last : int or inf
        How many columns the step before has chosen.
    manner : Manner
        How their problem will be solved.

    Returns
    -------
    ndarray of int or None
        Ascending; None where they would be too many.
    """
    objective = problem.objective
    W, G = objective.split(theta)[0], objective.split(grad)[0]
    k, d = W.shape
    held = (W != 0.0).any(axis=0)
    count = int(held.sum())
    most = manner.part * d
    if manner.factored:
        most = min(FACTORED // (k if objective.loss.joint else 1) - 1, most)
        most = min(most, max(_LEAST, (_PASSES * objective.n_stored) ** (1 / 3)))
    most = int(most)
    pull = np.abs(G).max(axis=0) / np.maximum(problem.l1, 1e-300)
    pull[held] = np.inf
    wanted = count + int((pull[~held] > 1.0).sum())
    if d < 2 * _FIRST or count > most or wanted > manner.wanted * d:
        return None
    if (count >= _FULL * last and wanted > _TOO_MANY * most) or (
        count > _CROWDED * most and wanted > most  # columns would come and go one by one
    ):
        return None
    # Fewer rows than columns leave room for few of those that want to be among them.
    eager = manner.eager if objective.n_active < d else max(manner.eager, _EAGER)
    eager = int(eager * wanted)
    size = min(max(int(_MORE * count), _FIRST, eager if eager <= most else 0), most)
    return np.sort(np.argpartition(-pull, size - 1)[:size])


def restricted_step(begin, problem, state, noise, manner=BY_FACTORS):
    """Return the `Arrival` at about the optimum over some columns, the others staying zero.

    Parameters
    ----------
    begin : callable
        Returns a solver and its state, given the restricted problem and where to start; its steps
        leave ``value`` and ``violation`` of that state.
    problem : Problem
        With an l1 part.
    state : State
        Of a solver that keeps ``grad`` and ``eta``. Sets how many columns were chosen: 0 once
        they are too many, from where on none are but for a look every 100 steps.
    noise : float
        Rounding of F.
    manner : Manner
        How far to go.

    Returns
    -------
    Arrival or None
        None where the columns are too many, or F does not fall.
    """
    theta, memory, split = state.theta, state.memory, problem.objective.split
    last = memory.get(manner.name, np.inf)
    if last == 0:
        if state.passes % _AGAIN or state.passes == _AGAIN:
            return None
        last = np.inf  # by now coefficients may have gone back to zero
    columns = chosen_columns(problem, theta, memory["grad"], last, manner)
    part = None if columns is None else problem.columns(columns, manner.copies)
    memory[manner.name] = 0 if part is None else len(columns)
    if part is None:
        return None
    W, b = split(theta)
    start = np.append(W[:, columns], b)
    if memory["eta"] is not None:
        G, g = split(memory["grad"])
        part.know(start, state.value, np.append(G[:, columns], g), memory["eta"])
    solver, inner = begin(part, start)
    whole, few = problem.objective, part.objective
    share = (few.n_rows + few.n_stored) / (whole.n_rows + whole.n_stored)
    for _ in range(int(min(manner.steps, manner.readings / share))):
        if inner.violation <= manner.solved * state.violation or inner.memory.get("stalled"):
            break
        inner = solver.step(part, inner)
    there = np.zeros_like(theta)
    into, into_b = split(there)
    found, found_b = part.objective.split(inner.theta)
    into[:, columns], into_b[:] = found, found_b
    # Margins that a few steps have moved are those of all columns too.
    moved = inner.memory["eta"] if inner.memory.get("age", np.inf) <= _MOVES else None
    value, grad, eta = problem.look(there, moved)
    # Inside the rounding of F the violation is what still tells good steps from others.
    fell, level = value < state.value, value <= state.value + noise
    if not (fell or (level and problem.violation(there, grad) < 0.5 * state.violation)):
        return None
    return Arrival(1.0, there, value, grad, eta, moved is not None)
