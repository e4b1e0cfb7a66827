"""What watches every run: guard, stopping rules, plateau, validation, history.

Each is called with an `Event` after every iteration and may answer with `Stop` or
`Rescale`. Nothing here knows what a row or a gradient is. The attributes named in
``changing`` are all that a run changes: with them a run goes on where another one was.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._protocols import Rescale, Stop

__all__ = [
    "DivergenceGuard",
    "History",
    "NoImprovement",
    "Optimality",
    "Plateau",
    "Validation",
]

_ADVICE = "Lower eta0, scale the columns of X, or leave eta0='auto' and learning_rate='auto'."
_FIRST, _FIRST_IN_VAIN = 20, 100  # iterations before a gap is asked for whatever is promised


class DivergenceGuard:
    """Goes back to the best point with a smaller rate when F leaves all bounds.

    Parameters
    ----------
    theta, value : ndarray, float
        The start and F there.
    bound : float
        A run diverges when F is not finite or exceeds this.
    blame : str or None
        The user's rate in words, for the warning; None where the rate is skgd's own, which
        is then lowered without a word.
    place, advice : str
        What the rate is too large for, and the way out, for the warning.
    stacklevel : int
        Of the warning: calls between here and the user's line.

    Attributes
    ----------
    theta, value : ndarray, float
        The best point so far and F there.
    restarts : list of int
        Iterations after which the run was sent back.
    """

    changing = "theta value bound restarts _scale _bad _factor _finite".split()

    def __init__(
        self, theta, value, bound, blame, place="these data", advice=_ADVICE, stacklevel=8
    ):
        self.theta, self.value = theta.copy(), value
        self.place, self.advice, self.stacklevel = place, advice, stacklevel
        self.bound = bound
        self.blame = blame
        self.restarts = []
        # Scales of the rate: the one in force, and the smallest that diverged.
        self._scale, self._bad, self._factor = 1.0, np.inf, 0.1
        self._finite = np.isfinite(value)

    def __call__(self, event):
        # With a log link F may be finite where an intercept is not.
        well = np.isfinite(event.value) and np.isfinite(event.theta).all()
        if well and event.value <= self.bound:
            if event.value < self.value or not self._finite:
                self.theta, self.value, self._finite = event.theta.copy(), event.value, True
            self._factor = 0.1
            if self._scale * 100.0 > self._bad or not np.isfinite(self._bad):
                return None
            # The search below left a rate that is needlessly small: climb back, step by step.
            self._scale *= 10.0
            return Rescale(10.0)
        self.restarts.append(event.iteration)
        factor = self._factor
        # A rate 1e12 too large is found in a few passes, not in twelve.
        self._factor = max(factor**2, 1e-12)
        self._bad = self._scale
        self._scale *= factor
        if len(self.restarts) == 1 and self.blame is not None:
            warnings.warn(
                f"The rate is too large for {self.place}: with {self.blame} (rate "
                f"{event.rate:.3g} in pass {event.iteration}) F rose to {event.value:.3g} "
                f"from {self.value:.3g}. The run went back to its best point with rates "
                f"{factor:g} times as large, and may do so again. {self.advice}",
                ConvergenceWarning,
                stacklevel=self.stacklevel,
            )
        return Rescale(factor, self.theta, self.value)


class Optimality:
    """Stops when a certificate, or else the violation, says that the point is near enough.

    Parameters
    ----------
    tol : float
        Largest optimality at which to stop: of the gap where there is a certificate, of
        the violation as a fraction of ``reference`` where there is none.
    reference : float
        The violation at zero coefficients with the best intercept.
    memory : dict
        Of the solver's state. ``"stalled"`` in it says that F can be lowered no further;
        ``"grad"`` and ``"eta"`` are the gradient and the linear predictors at the point;
        ``"dual"`` and ``"below"`` are for the certificate; ``"lower"`` is about the bound of F
        that the first will give, and ``"served"`` then says when it is worth asking; with this
        ``"allowed"`` is set to ``tol`` and what it is a part of, infinity for F itself;
        ``"model"`` is there where the next step has a Hessian to go by, or makes one as
        soon as ``"wait"`` steps are done; ``"by_column"`` says that it goes to the optimum over
        columns that are not many.
    certificate : Certificate, default=None
        Has ``optimality(theta, value, eta, ...)``, which reads the rows, ``promise(theta, value,
        grad)``, ``is_known(value)`` and ``whole(bound)``, which do not, ``improves`` and
        ``at_rounding``.

    Notes
    -----
    A gap costs one or two readings of X, so it is asked for when it may be small enough: as
    soon as the gradient promises it, and else, since a better dual point may be found than
    the gradient says, when the violation is small. It falls at most like the square of the
    violation, hence after a gap ``g > tol`` the next is due when the violation has fallen by
    ``sqrt(tol / g)``, or the number of iterations has grown by half. The steps in between
    cost nothing. Where a Hessian leads to a smaller gradient in a step or two, that is
    cheaper than a better dual point, and only the promise counts; so it does where no better one
    is looked for.
    """

    changing = "reference _violation _iteration _share".split()

    def __init__(self, tol, reference, memory, certificate=None):
        self.tol, self.reference, self.memory = tol, reference, memory
        self.certificate = certificate
        # A gap is about the square of a violation, times a number above 1.
        self._violation = min(3.0 * np.sqrt(tol), 0.3) * reference
        self._iteration, self._share = _FIRST, 1.0
        if certificate is not None and not certificate.improves:
            self._iteration = _FIRST_IN_VAIN

    def __call__(self, event):
        stalled = "stalled" in self.memory
        if self.certificate is not None:
            late = stalled or event.iteration >= self._iteration
            self.certificate.room = late or not self.memory.get("by_column", False)
        if "served" in self.memory:
            whole = np.inf if self.certificate is None else self.certificate.whole(event.value)
            self.memory["allowed"] = self.tol, whole
        if self.certificate is None:
            if event.violation <= self.tol * self.reference:
                return Stop("converged")
        elif stalled or self._is_due(event):
            eta = self.memory.get("eta")
            more = {key: self.memory[key] for key in ("below", "dual") if key in self.memory}
            if not more and eta is not None:
                more = {"grad": self.memory.get("grad")}
            found = self.certificate.optimality(event.theta, event.value, eta, **more)
            if found <= self.tol or self.certificate.at_rounding:
                return Stop("converged")
            fall = 0.9 * np.sqrt(self.tol / found)
            self._violation = min(max(fall, 0.05), 0.7) * event.violation
            self._iteration = event.iteration + max(20, event.iteration // 2)
        return Stop("no_improvement") if stalled else None

    def _is_due(self, event):
        if self.certificate.is_known(event.value):
            return True
        if "lower" in self.memory and event.iteration < self._iteration:
            lower = self.memory["lower"]
            if event.value - lower <= self._share * self.tol * self.certificate.whole(lower):
                self._share *= 0.7
                return True
            if "dual" in self.memory:
                return False
        grad, promise = self.memory.get("grad"), np.nan
        if "served" in self.memory and (self.memory["served"] or grad is None):
            return self.memory["served"]
        if event.iteration >= self._iteration:
            return True
        if grad is not None:
            promise = self.certificate.promise(event.theta, event.value, grad)
        if promise <= self._share * self.tol:
            # A promise that is not kept is believed later the next time.
            self._share *= 0.25
            return True
        led = self.memory.get("model") is not None or event.t >= self.memory.get("wait", np.inf)
        led = led or self.memory.get("by_column", False)
        if promise > 0.0 and (led or not self.certificate.improves):
            return False
        return event.violation <= self._violation


class _Progress:
    """Counts iterations since F last improved by ``tol``, relative; -inf never stops."""

    def __init__(self, tol, patience):
        self.tol, self.patience = tol, patience
        self.best, self.waited = np.inf, 0

    def stagnates(self, value):
        """Whether the last ``patience`` values brought nothing."""
        if self.tol == -np.inf:
            return False
        if not np.isfinite(self.best) or value < self.best - self.tol * abs(self.best):
            self.waited = 0
        else:
            self.waited += 1
        if not np.isfinite(self.best) or value < self.best:
            self.best = value
        return self.waited >= self.patience


class NoImprovement:
    """Stops when F has not improved for some iterations.

    Parameters
    ----------
    tol : float
        Part of its best value by which F must fall to count as improved. At least 0.
    patience : int
        Iterations without improvement after which the run ends. At least 1.
    """

    changing = ("progress",)

    def __init__(self, tol, patience):
        self.progress = _Progress(tol, patience)

    def __call__(self, event):
        return Stop("no_improvement") if self.progress.stagnates(event.value) else None


class Plateau:
    """Divides the rate when F stops improving; stops when the rate has become tiny.

    The rule of scikit-learn's ``learning_rate="adaptive"``: the rate is divided by
    ``factor`` until it is below 1e-6 (here: of the initial rate, or of 1 if that is less),
    then the run ends.

    Parameters
    ----------
    tol : float
        Part of its best value by which F must fall to count as improved. At least 0.
    patience : int
        Iterations without improvement after which the rate is divided. At least 1.
    factor : float
        What the rate is divided by. Above 1.
    watch : callable, default=None
        Gives, without arguments, the number to watch in place of F; less is better.
    """

    changing = "progress first_rate".split()

    def __init__(self, tol, patience, factor, watch=None):
        self.factor, self.watch, self.first_rate = factor, watch, None
        self.progress = _Progress(tol, patience)

    def __call__(self, event):
        value = event.value if self.watch is None else self.watch()
        if self.first_rate is None:
            self.first_rate = event.rate
        if not self.progress.stagnates(value):
            return None
        if event.rate <= 1e-6 * max(1.0, self.first_rate):
            return Stop("no_improvement" if self.watch is None else "early_stopping")
        self.progress.waited = 0
        return Rescale(1.0 / self.factor)


class Validation:
    """Scores a validation set after every iteration, and may stop on it.

    Parameters
    ----------
    score : callable
        Takes ``theta`` and returns a number, larger is better.
    tol, patience : float, int
        Stop when the best score has not risen by ``tol`` for ``patience`` iterations.
    stops : bool
        False records only.

    Attributes
    ----------
    scores : list of float
        One per iteration.
    theta, best : ndarray, float
        Where the score was best, and how good it was there.
    """

    changing = "scores best theta waited".split()

    def __init__(self, score, tol, patience, stops):
        self.score, self.tol, self.patience, self.stops = score, tol, patience, stops
        self.scores, self.best, self.theta, self.waited = [], -np.inf, None, 0

    def __call__(self, event):
        score = float(self.score(event.theta))
        self.scores.append(score)
        if score < self.best + self.tol or np.isnan(score):
            self.waited += 1
        else:
            self.waited = 0
        if score > self.best:
            self.best, self.theta = score, event.theta.copy()
        if self.stops and self.waited >= self.patience:
            return Stop("early_stopping", self.theta)
        return None


class History:
    """Keeps what happened, one entry per iteration."""

    names = ("value", "violation", "rate", "seconds")
    changing = ("rows",)

    def __init__(self):
        self.rows = []

    def __call__(self, event):
        # In one go: an interrupt leaves no half of an entry.
        self.rows.append([getattr(event, name) for name in self.names])

    def arrays(self):
        """Return a dict of equally long arrays."""
        table = np.array(self.rows, dtype=float).reshape(len(self.rows), len(self.names))
        return {name: table[:, j].copy() for j, name in enumerate(self.names)}
