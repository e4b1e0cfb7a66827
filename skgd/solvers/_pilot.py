"""A rate from the data: short runs on a few rows, and what passes over all of them say of it."""

import math

import numpy as np

__all__ = ["MANY_ROWS", "first_guess", "hold_against_mean", "pilot_rates"]

_ROWS = 2048
_STEPS = 64  # a pilot run makes at least this many steps, in whole passes
_MOST_PASSES = 8
_FACTOR = 4.0
_SHARE = 0.97  # of the deepest fall of F that a smaller rate must reach to be preferred
_TRIALS = 12
MANY_ROWS = 1024  # below, a run may learn them by heart
_PLENTY = 8192  # rows, below which noise has not gone at the end
_MOST_RISE = 0.25  # of F, relative, in a first pass; the divergence guard allows twice that
# Passes after which rates may be raised by this factor, in the first half of a run; what F of the
# mean is after the first is remembered.
_LOOKS, _EARLY, _BOLDER = (1, 2, 4, 8, 16, 32), 0.5, 2.0
_SLIGHT = 0.75  # of what F has fallen by since the last look: less than that is little noise
_FALLS = 0.5  # power of the rate below which a rule's metric falls by itself


def pilot_rates(solver, problem, theta, late, size):
    """Return the initial rates with which a short run on few rows gets lowest.

    A first guess comes from the curvature of the loss and the size of the rows; from
    there the rate goes up and down by factors of four as long as F on the sample falls
    further, and one of the good rates is taken. After Bottou, "Stochastic gradient
    descent tricks" (2012), section 5.2.

    Parameters
    ----------
    solver : Stochastic
        Runs the pilots; its settings apply, but for shuffling and the user's
        averaging.
    problem : Problem
        In centred and scaled variables.
    theta : ndarray of shape (n_params,)
        Where the run will start.
    late : bool
        Whether the run may give a mean of late iterates.
    size : int
        Rows of a step.

    Returns
    -------
    of_iterate, of_mean : float
        Positive and finite: the smallest rate with which the iterate does well, and one
        with which the mean does, None unless ``late``. The latter is the smallest too,
        but midway between the best and the largest for a rule whose metric falls by
        itself; with few rows not above ``of_iterate``.

    Notes
    -----
    Up to a dozen runs over at most 2,048 evenly spaced rows, and few more for the second
    rate. Nothing is drawn from the caller's generator, so the pilot leaves the run that
    follows as it would be.
    """
    sample = type(problem)(problem.objective.sample(_ROWS), problem.penalty, problem.alpha)
    objective = sample.objective
    size = min(size, max(1, objective.n_active))
    steps_a_pass = -(-objective.n_active // size)
    passes = int(np.clip(-(-_STEPS // steps_a_pass), 1, _MOST_PASSES))
    rng = np.random.RandomState(0)
    orders = [rng.permutation(objective.active()) for _ in range(passes)]
    start = sample.value(theta)
    runs = {}

    def reached(rate):
        state, rose = solver.blank(theta, rate, size, late), False
        with np.errstate(over="ignore", invalid="ignore"):
            for order in orders:
                solver.run_pass(sample, state, order)
                state.passes += 1
                if late and state.passes == 1:
                    # What comes later may be good, but the run would have been stopped.
                    first = sample.value(state.memory["average"])
                    rose = not first <= start + _MOST_RISE * abs(start)
            of_iterate = sample.value(state.theta)
            of_mean = sample.value(state.memory["average"]) if late and not rose else np.inf
        return {"iterate": _finite(of_iterate), "mean": _finite(of_mean)}

    def fall(what, rate):
        if rate not in runs:
            runs[rate] = reached(rate)
        return start - runs[rate][what]

    guess = first_guess(solver, objective)
    good = _good_rates(lambda rate: fall("iterate", rate), guess)
    # The smallest of the good ones: what a short run does not show is the noise in which
    # a long one ends, and that is proportional to the rate.
    of_iterate, of_mean = float(min(good)), None
    if late:
        good = _good_rates(lambda rate: fall("mean", rate), guess)
        # But a metric that goes on falling after the pilot makes good for a larger one.
        of_mean = float(min(good))
        if falls_by_itself(solver.rule):
            best = max(good, key=lambda rate: fall("mean", rate))
            of_mean = math.sqrt(best * max(good))
        if objective.n_active < MANY_ROWS:  # too few to say what is too large
            of_mean = min(of_mean, of_iterate)
    return of_iterate, of_mean


def falls_by_itself(rule):
    """Return whether the metric of a rule goes on falling, whatever its rate does."""
    return rule.adaptive and rule.auto_power < _FALLS


def hold_against_mean(rule, problem, state, n_passes, raises):
    """Look which is better after a pass, the iterate or the mean of iterates.

    Where it is the iterate, or F has fallen by more since the last look than the iterate is
    worse by, noise is not what is left of F: rates may be larger. Where the pass that follows
    takes the mean back behind the last look, or that and another, or it is there at a look up to
    halfway, behind this one, they were too large: these passes are undone, and rates stay as
    they were from then on. Where the mean is only worse than at the look before, rates that follow
    the size of gradients are halved, and those of adaptive rules where it is worse than a pass
    before. After the last pass, by when rates have cooled down, the better of the two is taken.

    Parameters
    ----------
    rule : Rule
        That of the run. Rates of an adaptive one, whose moves are about as long as they say, are
        raised for what F has fallen by alone; for that they go to four times the pilot's at most.
    problem : Problem
        What is minimised.
    state : State
        After the pass; its ``memory``, ``theta`` or ``point`` may be changed.
    n_passes : int
        Of the run.
    raises : bool
        Whether to raise rates: not where a run may be stopped for noise that would have gone.
    """
    memory, k, half = state.memory, state.passes, int(_EARLY * n_passes)
    if rule.adaptive:
        _lower_if_risen(state)
    look = k == half or (k in _LOOKS and k < half)
    mean = _undo_if_worse(problem, state, look)
    if k >= half:
        memory.pop("before", None)
    if mean is None and (k == n_passes or (look and raises)):
        mean = problem.value(memory["average"])
    if look and raises:
        _judge(rule, problem, state, half, mean)
    elif k == n_passes and problem.value(state.theta) < mean:
        state.point = memory["average"] = state.theta.copy()


def _lower_if_risen(state):
    """Halve rates that were raised where F of the mean was larger after the last pass than before.

    Moves that keep their size go on as wildly until rates cool down.
    """
    memory = state.memory
    before, memory["seen"] = memory.get("seen", np.inf), state.value  # not of this pass
    least = memory.get("mean_eta0", np.inf)
    if state.value > before and memory["eta0"] > least:
        memory.update(eta0=max(memory["eta0"] / _BOLDER, least), timid=True)


def _undo_if_worse(problem, state, look):
    """Go back to where rates were raised if the mean is worse than it may be.

    Returns F of the mean, None where it was not looked at.
    """
    memory = state.memory
    if "before" not in memory:
        return None
    since, first, later, theta, kept = memory["before"]
    if not look and state.passes > since + 2:
        return None
    mean = problem.value(memory["average"])
    if mean <= (first if state.passes == since + 1 else later):
        return mean
    memory.update(kept, timid=True)
    state.theta, state.point = theta, memory["average"]
    del memory["before"]
    return later


def _judge(rule, problem, state, half, mean):
    """Raise rates at a look, or lower those that were raised."""
    memory, k = state.memory, state.passes
    # Nothing is said of a state that was not looked at before.
    last, least = memory.get("looked", mean), memory.get("mean_eta0", 0.0)
    memory["looked"] = mean
    if mean > last and memory["eta0"] > least > 0.0 and not rule.adaptive:
        memory.update(eta0=memory["eta0"] / _BOLDER, timid=True)
    if memory.get("timid", False) or k == 1 or k not in _LOOKS:
        return
    noise = problem.value(state.theta) - mean
    sure = noise < 0.0 and not rule.adaptive
    # On less than this, only where looks are left to see what comes of it.
    likely = problem.objective.n_active >= _PLENTY and 2 * k <= half
    likely = likely and noise < max(0.0, _SLIGHT * (last - mean))
    if sure or (likely and memory["eta0"] * _BOLDER <= _FACTOR * least):
        kept = {name: np.copy(memory[name]) for name in ("average", "vectors", "scalars")}
        kept.update(eta0=memory["eta0"], n_averaged=memory["n_averaged"])
        memory["before"] = k, max(last, mean), mean, state.theta.copy(), kept
        memory["eta0"] *= _BOLDER


def _finite(value):
    return value if np.isfinite(value) else np.inf


def _good_rates(fall, guess):
    """Return the rates with which F falls nearly as far as with any."""
    found = {guess: fall(guess)}
    for factor in (_FACTOR, 1.0 / _FACTOR):
        rate = guess
        for _ in range(_TRIALS):
            best = max(found.values())
            rate *= factor
            found[rate] = fall(rate)
            # Upwards until F falls less far; downwards also past rates so large that
            # nothing falls, until a smaller rate is clearly too slow.
            if factor > 1 and not found[rate] > best:
                break
            if factor < 1 and best > 0 and found[rate] < _SHARE * best:
                break
    best = max(found.values())
    if not best > 0:  # the start is an optimum: the rate that leads least far away
        return [max(found, key=found.get)]
    return [rate for rate, fell in found.items() if fell >= _SHARE * best]


def first_guess(solver, objective):
    """Return a rate of the right size, from the curvature of the loss and the size of the rows.

    Parameters
    ----------
    solver : Stochastic, or one with such a ``rule``
        Whose rate.
    objective : LinearObjective or ScaledObjective
        Its loss and rows, in the variables of the steps.

    Returns
    -------
    float
        Positive.
    """
    loss = objective.loss
    unit = loss.unit(objective.y, objective.s)
    norms = float(np.mean(objective.row_norms())) + 1.0
    if solver.rule.adaptive:
        # Moves have about the size of the rate, whatever the size of the gradient.
        return 0.1 * unit / np.sqrt(norms)
    curvature = loss.curvature or 1.0
    rate = 0.5 / (curvature * norms)
    # A bounded slope needs a rate in the units of the target.
    return rate if loss.smooth else rate * unit
