"""The rate that a schedule gives, pass by pass."""

import numpy as np

from .._protocols import RateContext
from .._ranges import check_number
from ..losses import SquaredError
from ..schedules import resolve_schedule
from ._base import STYLES, Display, legend

__all__ = ["ScheduleDisplay"]


class ScheduleDisplay(Display):
    """Rates of one schedule or several against passes.

    Make one with `from_schedule`.

    Parameters
    ----------
    rates : dict of str to ndarray
        By name, the rate of each step.
    steps_per_pass : int, default=1
        Steps between two passes.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Set by `plot`.
    lines_ : dict of str to matplotlib line
        The line of each.
    line_ : matplotlib line
        The first of them.
    """

    def __init__(self, *, rates, steps_per_pass=1):
        self.rates, self.steps_per_pass = rates, steps_per_pass

    @classmethod
    def from_schedule(
        cls, schedule, n_iter=100, *, eta0=1.0, steps_per_pass=1, power_t=0.5, alpha=1e-4, ax=None
    ):
        """Draw the rates of one schedule or several.

        Parameters
        ----------
        schedule : str, Schedule, callable, or dict of str to one of these
            As ``learning_rate`` takes them; a dict names each for the legend.
        n_iter : int, default=100
            Passes, which are the horizon ``max_iter`` too. At least 1.
        eta0 : float, default=1.0
            Initial rate. Positive.
        steps_per_pass : int, default=1
            Steps of a pass; ``"invscaling"`` and ``"optimal"`` count steps. At least 1.
        power_t : float, default=0.5
            Exponent of ``"invscaling"`` where it is named by string.
        alpha : float, default=1e-4
            Strength of the penalty, by which ``"optimal"`` goes.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ScheduleDisplay
            Drawn.

        Raises
        ------
        ValueError
            If a parameter is out of range, or a name is not known.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from skgd.inspection import ScheduleDisplay
        >>> from skgd.schedules import Cosine
        >>> display = ScheduleDisplay.from_schedule(Cosine(warmup=10), n_iter=50)
        >>> len(display.line_.get_xdata())
        50
        """
        check_number("n_iter", n_iter, low=1, integer=True)
        check_number("steps_per_pass", steps_per_pass, low=1, integer=True)
        check_number("eta0", eta0, low=0, closed="neither")
        several = schedule if isinstance(schedule, dict) else {str(schedule): schedule}
        context = RateContext(eta0, n_iter, alpha, SquaredError(), power_t)
        rates = {}
        for name, spec in several.items():
            found = resolve_schedule("constant" if spec == "auto" else spec)
            found.check()
            passes = [
                found.rates(k, k * steps_per_pass, steps_per_pass, context) for k in range(n_iter)
            ]
            rates[str(name)] = np.concatenate(passes)
        return cls(rates=rates, steps_per_pass=steps_per_pass).plot(ax=ax)

    def plot(self, ax=None, *, log=False):
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.
        log : bool, default=False
            Whether the axis of rates is logarithmic.

        Returns
        -------
        ScheduleDisplay
            This one, with ``ax_``, ``figure_`` and the lines set.
        """
        super().plot(ax)
        if log:
            self.ax_.set_yscale("log")
        return self

    def _draw(self, ax):
        self.lines_ = {}
        for k, (name, rates) in enumerate(self.rates.items()):
            at = np.arange(len(rates)) / self.steps_per_pass
            (self.lines_[name],) = ax.plot(at, rates, label=name, **STYLES[k % len(STYLES)])
        self.line_ = next(iter(self.lines_.values()))
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel("pass over the rows")
        ax.set_ylabel("learning rate")
        legend(ax)
