"""Descents without a rate, beside those whose rate comes from the data: passes and streams.

    python -m benchmarks.rate_free --data PATH [--sets htru2 diamonds] [--passes 20]
    python -m benchmarks.rate_free --data PATH --streams [--batch 32]

The candidates are rules of the package in NumPy, with the constants of their papers and in the
variables that every stochastic solver works in, so that the recurrences alone are compared:

- ``dog``, distance over gradients (Ivgi, Hinder & Carmon 2023), ``ldog``, the same for each
  coordinate, and ``dog_adagrad``, the distance of the farthest coordinate over AdaGrad's metric;
- ``cocob``, coin betting (Orabona & Tommasi 2017);
- ``prodigy`` (Mishchenko & Defazio 2023), ``mechanic`` over Adam (Cutkosky, Defazio & Mehta 2023).

Printed is (F - F*) / (F0 - F*) after the passes, as in `benchmarks.rates`, or the progressive loss
of `benchmarks.streams`.
"""

import argparse
import math
import sys
import warnings

import numpy as np

from skgd import GDClassifier, GDRegressor
from skgd.rules import Rule
from skgd.solvers import Stochastic

from . import rates
from .sets import loader
from .streams import Sklearn, progressive


class RateFree(Stochastic):
    """Steps whose rule is at the rate 1."""

    def set_rate(self, problem, state):
        state.memory["eta0"] = state.memory["stream_eta0"] = 1.0

    def with_settings(self, settings):
        found = type(self)(self.rule)
        found.settings = settings
        return found


class Candidate(Rule):
    """A rule at a constant rate, whose first vector is what it has moved by so far."""

    auto_power = 0.0
    adaptive = True

    def __init__(self, learning_rate=None, max_iter=None):
        self.learning_rate, self.max_iter = learning_rate, max_iter

    def moved(self, move, vectors):
        vectors[0] += move
        return move


class DoG(Candidate):
    n_vectors, adaptive, first = 1, False, 1e-6

    def update(self, grad, vectors, scalars, t, xp):
        distance = math.sqrt(float(vectors[0] @ vectors[0]))
        scalars[0] = max(scalars[0], distance, self.first)
        scalars[1] += float(grad @ grad)
        rate = scalars[0] / math.sqrt(scalars[1] + 1e-300)
        return self.moved(rate * grad, vectors), rate


class CoordinateDoG(Candidate):
    n_vectors, first = 3, 1e-6

    def update(self, grad, vectors, scalars, t, xp):
        moved, far, square = vectors
        np.maximum(np.maximum(far, np.abs(moved)), self.first, out=far)
        square += grad * grad
        rate = far / np.sqrt(square + 1e-300)
        return self.moved(rate * grad, vectors), rate


class DoGAdaGrad(Candidate):
    n_vectors, first = 2, 1e-6

    def update(self, grad, vectors, scalars, t, xp):
        scalars[0] = max(scalars[0], float(np.abs(vectors[0]).max()), self.first)
        vectors[1] += grad * grad
        rate = scalars[0] / np.sqrt(vectors[1] + 1e-300)
        return self.moved(rate * grad, vectors), rate


class COCOB(Candidate):
    n_vectors, alpha = 5, 100.0

    def update(self, grad, vectors, scalars, t, xp):
        moved, largest, total, reward, bet = vectors
        size = np.abs(grad)
        np.maximum(largest, size, out=largest)
        total += size
        np.maximum(reward + moved * grad, 0.0, out=reward)
        bet -= grad
        unit = np.where(largest > 0, largest, 1.0)
        there = bet / (unit * np.maximum(total + unit, self.alpha * unit)) * (unit + reward)
        return self.moved(-there - moved, vectors), None


class Prodigy(Candidate):
    n_vectors, beta_1, beta_2, first = 4, 0.9, 0.999, 1e-6

    def update(self, grad, vectors, scalars, t, xp):
        moved, m, v, s = vectors
        d = scalars[0] = max(scalars[0], self.first)
        root = math.sqrt(self.beta_2)
        m += (1 - self.beta_1) * (d * grad - m)
        v += (1 - self.beta_2) * (d * d * grad * grad - v)
        scalars[1] += (1 - root) * (d * d * float(grad @ moved) - scalars[1])
        s += (1 - root) * (d * d * grad - s)
        norm = float(np.abs(s).sum())
        if norm > 0:
            scalars[0] = max(d, scalars[1] / norm)
        metric = d / (np.sqrt(v) + d * 1e-8)
        return self.moved(metric * m, vectors), d * metric


class Mechanic(Candidate):
    n_vectors, beta_1, beta_2, first = 7, 0.9, 0.999, 1e-8
    betas = 1.0 - 0.1 ** np.arange(1.0, 7.0)

    def update(self, grad, vectors, scalars, t, xp):
        moved, m, v = vectors[:3]  # by Adam at the rate 1, in place of what this rule moved by
        # A few numbers for each beta, at the head of vectors.
        betas = self.betas[: len(grad)]
        variance, reward, largest, scale = vectors[3:, : len(betas)]
        before, slope = scale.sum() * moved, -float(moved @ grad)
        np.maximum(betas * largest, abs(slope) + 1e-300, out=largest)
        variance += slope * slope - (1 - betas**2) * variance
        np.maximum(betas * reward - scale * slope, 0.0, out=reward)
        wealth = self.first * largest / len(betas) + reward
        scale[:] = wealth / (np.sqrt(variance) + 1e-300)
        m += (1 - self.beta_1) * (grad - m)
        v += (1 - self.beta_2) * (grad * grad - v)
        root = np.sqrt(v / (1 - self.beta_2**t)) + 1e-8
        moved += m / (1 - self.beta_1**t) / root
        return scale.sum() * moved - before, None


CANDIDATES = {
    "dog": DoG,
    "ldog": CoordinateDoG,
    "dog_adagrad": DoGAdaGrad,
    "cocob": COCOB,
    "prodigy": Prodigy,
    "mechanic": Mechanic,
}


def solver(name):
    """Return what an estimator takes as ``solver`` for a name."""
    return RateFree(CANDIDATES[name]()) if name in CANDIDATES else name


def models(task, names, passes, alpha):
    """As `benchmarks.rates.models`."""
    make = GDRegressor if task == "regression" else GDClassifier
    for name in names:
        yield (
            name,
            make(solver=solver(name), alpha=alpha, max_iter=passes, tol=None, random_state=0),
        )


def streams(options):
    """Print the progressive losses of the sets in order of time."""
    load = loader(options.data)
    print(f"{'set':<14}{'batch':>6}" + "".join(f"{name:>12}" for name in options.solvers))
    for name in options.sets or load.names():
        X, y, info = load.load(name)
        if info["order"] != "time" and not options.sets:
            continue
        make = GDRegressor if info["task"] == "regression" else GDClassifier
        cells = ""
        for one in options.solvers:
            model = Sklearn(make(solver=solver(one), random_state=0), info["task"])
            value, _ = progressive(model, X, y, info["task"], options.batch)
            cells += f"{value:>12.4g}"
        print(f"{name:<14}{options.batch:>6}{cells}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder with load.py")
    parser.add_argument("--streams", action="store_true", help="one pass, test then train")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--solvers", nargs="+", default=["sgd", "adam", *CANDIDATES])
    options, rest = parser.parse_known_args()
    warnings.simplefilter("ignore")
    if options.streams:
        streams(options)
        return
    sets = ["--sets", *options.sets] if options.sets else []
    sys.argv[1:] = ["--data", options.data, *sets, "--solvers", *options.solvers, *rest]
    rates.main(models)


if __name__ == "__main__":
    main()
