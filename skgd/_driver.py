"""The only loop over steps: step, look, obey."""

import time

import numpy as np

from ._protocols import Event, Rescale, Result, Stop

__all__ = ["run"]


def run(problem, solver, state, callbacks, max_iter, done=0, seconds=0.0):
    """Step until a callback asks to stop or ``max_iter`` iterations are done.

    Parameters
    ----------
    problem : Problem
        What is minimised; handed to the solver, not used here.
    solver : Solver
        Its ``step`` does one iteration.
    state : State
        From ``solver.init``, or from an earlier run.
    callbacks : sequence of callables
        Each takes an `Event` and returns `Stop`, `Rescale` or None. They are asked in
        order, and the first `Stop` ends the run, which those after it are shown if they have
        ``sees_all``, whatever they answer; a `Rescale` that goes back to an
        earlier point changes the event that the callbacks after it see. One with a method
        ``begin`` is told before each iteration.
    max_iter : int
        Iterations at most.
    done, seconds : int, float, default=0
        Iterations of an earlier run that goes on here, and how long they took.

    Returns
    -------
    Result
        The last state, why the run ended, and the number of iterations. A
        KeyboardInterrupt is caught and carried in ``interrupt``: the state is then that
        after the last step done whole, with the memory of the rule emptied if the
        interrupt cut a step off.
    """
    begin, reason, iteration = time.perf_counter() - seconds, "max_iter", done
    begins = [callback.begin for callback in callbacks if hasattr(callback, "begin")]
    safe, whole = _copies(state), True
    try:
        for k in range(done + 1, max_iter + 1):
            for announce in begins:
                announce()
            whole, state.more = False, k < max_iter
            state = solver.step(problem, state)
            whole, iteration = True, k
            event = _event(problem, state, k, begin)
            stop = None
            for callback in callbacks:
                if stop is not None and not getattr(callback, "sees_all", False):
                    continue
                answer = callback(event)
                if stop is not None:
                    continue
                if isinstance(answer, Stop):
                    stop = answer
                elif isinstance(answer, Rescale):
                    state.rate_scale *= answer.factor
                    if answer.theta is not None:
                        solver.restart(state, answer.theta, answer.value)
                        event = _event(problem, state, k, begin)
            if stop is not None:
                reason = stop.reason
                if stop.theta is not None:
                    state.point = stop.theta.copy()
                    state.value, state.violation = stop.value, np.nan
                break
            # Vectors of the length of theta: nothing beside the rows that a step reads.
            safe = _copies(state)
    except KeyboardInterrupt as interrupt:
        if not whole:
            theta, point, value, violation = safe
            solver.restart(state, theta, value)
            state.point, state.violation = point, violation
        return Result(state, "interrupted", iteration, interrupt)
    finally:
        state.more, state.ahead = False, None
    return Result(state, reason, iteration)


def _copies(state):
    return state.theta.copy(), state.point.copy(), state.value, state.violation


def _event(problem, state, iteration, begin):
    point = state.point.view()
    point.flags.writeable = False
    return Event(
        iteration=iteration,
        t=state.t,
        passes=state.passes,
        seconds=time.perf_counter() - begin,
        value=state.value,
        violation=state.violation,
        rate=state.rate,
        theta=point,
        state=state,
    )
