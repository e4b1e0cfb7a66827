"""A rate from the data: short runs on a few rows, from which the best is kept."""

import numpy as np

__all__ = ["pilot_rate"]

_ROWS = 2048
_STEPS = 64  # a pilot run makes at least this many steps, in whole passes
_MOST_PASSES = 8
_FACTOR = 4.0
_SHARE = 0.97  # of the deepest fall of F that a smaller rate must reach to be preferred
_TRIALS = 12


def pilot_rate(solver, problem, theta):
    """Return the initial rate with which a short run on few rows gets lowest.

    A first guess comes from the curvature of the loss and the size of the rows; from
    there the rate goes up and down by factors of four as long as F on the sample falls
    further, and the smallest of the good rates is taken. After Bottou, "Stochastic gradient
    descent tricks" (2012), section 5.2.

    Parameters
    ----------
    solver : Stochastic
        Runs the pilots; its settings apply, but for shuffling and averaging.
    problem : Problem
        In centred and scaled variables.
    theta : ndarray of shape (n_params,)
        Where the run will start.

    Returns
    -------
    float
        Positive and finite.

    Notes
    -----
    Up to a dozen runs over at most 2,048 evenly spaced rows. Nothing is drawn from the
    caller's generator, so the pilot leaves the run that follows as it would be.
    """
    sample = type(problem)(problem.objective.sample(_ROWS), problem.penalty, problem.alpha)
    objective = sample.objective
    size = min(solver.batch_size(problem), max(1, objective.n_active))
    steps_a_pass = -(-objective.n_active // size)
    passes = int(np.clip(-(-_STEPS // steps_a_pass), 1, _MOST_PASSES))
    rng = np.random.RandomState(0)
    orders = [rng.permutation(objective.active()) for _ in range(passes)]
    start = sample.value(theta)

    def reached(rate):
        state = solver.blank(theta, rate, size)
        with np.errstate(over="ignore", invalid="ignore"):
            for order in orders:
                solver.run_pass(sample, state, order)
                state.passes += 1
            value = sample.value(state.theta)
        return value if np.isfinite(value) else np.inf

    guess = _guess(solver, objective)
    found = {guess: start - reached(guess)}  # how far F falls, by rate
    for factor in (_FACTOR, 1.0 / _FACTOR):
        rate = guess
        for _ in range(_TRIALS):
            best = max(found.values())
            rate *= factor
            found[rate] = start - reached(rate)
            falls = found[rate] > 0
            # Upwards until F falls less far; downwards also past rates so large that
            # nothing falls, until a smaller rate is clearly too slow.
            if factor > 1 and not found[rate] > best:
                break
            if factor < 1 and best > 0 and (not falls or found[rate] < _SHARE * best):
                break
    best = max(found.values())
    if not best > 0:  # the start is an optimum: the rate that leads least far away
        return float(max(found, key=found.get))
    # The smallest of the good ones: what a short run does not show is the noise in which
    # a long one ends, and that is proportional to the rate.
    return float(min(rate for rate, fall in found.items() if fall >= _SHARE * best))


def _guess(solver, objective):
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
