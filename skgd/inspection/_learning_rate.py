"""F after a pass against the rate: where it crawls, works, diverges."""

import warnings

import numpy as np
from sklearn.base import clone

from .._ranges import check_number
from ..rules import SGD, Rule
from ..solvers import Stochastic
from ..solvers._pilot import first_guess
from ._base import STYLES, Display, axes, problem_of

__all__ = ["LearningRateDisplay"]

_CRAWLS = 0.1  # of the best fall of F
_DECADES = np.linspace(-6, 6, 25)  # of rates about the one that the data suggest


class LearningRateDisplay(Display):
    """F after some passes against ``eta0``, over decades of rates.

    Make one with `from_estimator`.

    Parameters
    ----------
    rates : ndarray of shape (n_rates,)
        Values of ``eta0``, increasing.
    values : ndarray of shape (n_rates,)
        F after the passes; where a run diverged, of the point it was sent back to.
    diverged : ndarray of bool of shape (n_rates,)
        Where runs diverged, or ended above where they began.
    start : float
        F before the first pass.
    passes : int, default=1
        Passes that each rate had.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Set by `plot`.
    line_ : matplotlib line
        F where runs did not diverge.
    crawls_, works_ : ndarray of bool of shape (n_rates,)
        Rates that lower F by less than a tenth of what the best one does, and by more.
    """

    def __init__(self, *, rates, values, diverged, start, passes=1):
        self.rates, self.values, self.diverged = rates, values, diverged
        self.start, self.passes = start, passes
        fall = np.where(diverged, 0.0, start - values)
        self.works_ = (fall > 0) & (fall >= _CRAWLS * fall.max(initial=0.0))
        self.crawls_ = ~diverged & ~self.works_

    @classmethod
    def from_estimator(cls, est, X, y, *, rates=None, passes=1, ax=None):
        """Run an estimator at each rate, and draw where it gets.

        Parameters
        ----------
        est : GDRegressor or GDClassifier
            Its other parameters count; it is not changed.
        X, y : array
            Rows and targets.
        rates : array of shape (n_rates,), default=None
            Values of ``eta0``. None takes 25 over twelve decades; the middle one is a power of
            ten near what the size of the rows suggests.
        passes : int, default=1
            Passes over the rows at each rate (steps, for a solver that sees all rows at once).
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        LearningRateDisplay
            Drawn.

        Raises
        ------
        ValueError
            If a rate is not positive, or the solver takes none.
        ImportError
            If matplotlib is not installed.

        Warns
        -----
        UserWarning
            If all of the rates diverge.

        Examples
        --------
        >>> from sklearn.datasets import load_breast_cancer
        >>> from sklearn.preprocessing import scale
        >>> from skgd import GDClassifier
        >>> from skgd.inspection import LearningRateDisplay
        >>> X, y = load_breast_cancer(return_X_y=True)
        >>> est = GDClassifier(solver="gd", random_state=0)
        >>> display = LearningRateDisplay.from_estimator(est, scale(X), y, passes=5)
        >>> bool(display.diverged[-1]), bool(display.crawls_[0])
        (True, True)
        """
        check_number("passes", passes, low=1, integer=True)
        if rates is not None:
            rates = np.sort(np.asarray(rates, dtype=float))
            if rates.ndim != 1 or not len(rates) or not (np.isfinite(rates) & (rates > 0)).all():
                raise ValueError(f"rates must be a vector of positive numbers; got {rates!r}.")
        ax = axes(ax, cls.__name__)  # before any work, should matplotlib be missing

        def run(rate):
            model = clone(est).set_params(eta0=float(rate), max_iter=passes, tol=None, verbose=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X, y)
            return model

        still = run(1e-200)  # which goes nowhere
        start = still.loss_curve_[-1]
        objective = problem_of(still, X, y).objective
        rates = _rates(still.solver_, objective) if rates is None else rates
        found = [(one.loss_curve_[-1], len(one.restarts_) > 0) for one in map(run, rates)]
        values = np.array([value for value, _ in found])
        diverged = np.array([bad or value > start for value, bad in found])
        display = cls(rates=rates, values=values, diverged=diverged, start=start, passes=passes)
        if diverged.all() and not objective.loss.least_at_zero:
            warnings.warn(
                f"No rate from {rates[0]:.2g} to {rates[-1]:.2g} lowers F: all {len(rates)} "
                "diverge. Pass lower rates=..., or scale the columns of X.",
                stacklevel=2,
            )
        return display.plot(ax=ax)

    def _draw(self, ax):
        good = ~self.diverged
        (self.line_,) = ax.plot(self.rates[good], self.values[good], marker="o", **STYLES[0])
        ax.axhline(self.start, color="0.4", linewidth=0.8)
        ax.annotate(
            "F at the start",
            (0.99, self.start),
            xycoords=("axes fraction", "data"),
            xytext=(0, -11),
            textcoords="offset points",
            ha="right",
            fontsize="small",
            color="0.3",
        )
        ax.set_xscale("log")
        edges = self._edges()
        for mask, colour, word in (
            (self.crawls_, "#56B4E9", "crawls"),
            (self.works_, "#009E73", "works"),
            (self.diverged, "#D55E00", "diverges"),
        ):
            for first, last in _stretches(mask):
                ax.axvspan(edges[first], edges[last + 1], color=colour, alpha=0.12, linewidth=0)
                middle = np.sqrt(edges[first] * edges[last + 1])
                ax.annotate(
                    word, (middle, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 4),
                    textcoords="offset points", ha="center", fontsize="small",
                )  # fmt: skip
        ax.set_xlim(edges[0], edges[-1])
        ax.set_xlabel("eta0")
        passes = "one pass" if self.passes == 1 else f"{self.passes} passes"
        ax.set_ylabel(f"F after {passes}")

    def _edges(self):
        if len(self.rates) == 1:
            return np.array([self.rates[0] / 2, self.rates[0] * 2])
        middle = np.sqrt(self.rates[1:] * self.rates[:-1])
        first, last = self.rates[0] ** 2 / middle[0], self.rates[-1] ** 2 / middle[-1]
        return np.array([first, *middle, last])


def _rates(found, objective):
    """Return rates about one that suits the rows, half a decade from each to the next."""
    if not hasattr(found, "rule"):
        # Without a rule of their own solvers move by gradients, as SGD does.
        found = Stochastic(found if isinstance(found, Rule) else SGD())
    middle = first_guess(found, objective)
    if not 0 < middle < np.inf:  # entries whose squares overflow
        middle = 1.0
    return 10.0 ** (np.round(np.log10(middle)) + _DECADES)


def _stretches(mask):
    """Return the first and last place of each stretch of True."""
    padded = np.r_[False, mask, False].astype(int)
    starts = np.flatnonzero(np.diff(padded) == 1)
    ends = np.flatnonzero(np.diff(padded) == -1) - 1
    return list(zip(starts, ends, strict=True))
