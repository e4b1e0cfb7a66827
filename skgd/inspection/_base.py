"""What the displays share: matplotlib where it is used, colours, checks."""

import numpy as np

from .._build import make_problem
from .._params import read
from .._summary import check_fitted

__all__ = [
    "STYLES",
    "Display",
    "axes",
    "check_history",
    "legend",
    "name_of",
    "problem_of",
    "smoothed",
]

# Okabe and Ito's colours, which readers who see fewer colours tell apart, each with a dash of
# its own for those who see none.
_COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
_DASHES = "-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))
STYLES = [{"color": c, "linestyle": d} for c, d in zip(_COLOURS, _DASHES, strict=True)]


def axes(ax, what):
    """Return axes to draw on, new ones where ``ax`` is None.

    Raises
    ------
    ImportError
        If matplotlib is not installed: it is the extra ``skgd[plot]``.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{what} draws with matplotlib, which is not installed: pip install 'skgd[plot]'."
        ) from error
    return pyplot.subplots(layout="constrained")[1] if ax is None else ax


class Display:
    """A picture that can be drawn again; a subclass has ``_draw(ax)``."""

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        Display
            This one, with ``ax_``, ``figure_`` and the lines set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes(ax, type(self).__name__)
        self.ax_, self.figure_ = ax, ax.figure
        self._draw(ax)
        return self


def legend(ax):
    """Put a legend above the axes, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) > 1:
        columns = 3 if max(map(len, labels)) < 16 else 2
        ax.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns,
            frameon=False, fontsize="small", borderaxespad=0.2,
        )  # fmt: skip


def name_of(est):
    """Return how to call an estimator in a legend."""
    solver = est.solver if isinstance(est.solver, str) else type(est.solver).__name__
    return f"{type(est).__name__}, {solver}"


def check_history(est):
    """Raise where an estimator has no history to draw.

    Raises
    ------
    TypeError
        If it is no estimator of skgd.
    sklearn.exceptions.NotFittedError
        If it has not been fitted.
    ValueError
        If nothing was recorded.
    """
    check_fitted(est)
    if not len(getattr(est, "loss_curve_", ())):
        raise ValueError(
            f"{type(est).__name__} has no history: no iteration was done. Call fit first, with "
            "max_iter of at least 1."
        )


def problem_of(model, X, y):
    """Return F of a fitted model in the variables of X."""
    plan = read(model, model._kind, "fit")
    known = {} if model._known() is None else {"classes": model._known()}
    data = model._rows(X, y, None, plan.loss, reset=False, **known)
    return make_problem(plan, data, model.fit_intercept, model.alpha)


def smoothed(values, share):
    """Return the exponentially weighted mean of the values so far, without its bias."""
    total, weight, out = 0.0, 0.0, np.empty(len(values))
    for k, value in enumerate(values):
        if np.isfinite(value):
            total, weight = share * total + (1 - share) * value, share * weight + 1 - share
        out[k] = total / weight if weight else np.nan
    return out
