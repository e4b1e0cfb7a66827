"""F as the iterations go by."""

import numpy as np

from .._ranges import check_number
from ._base import STYLES, Display, check_history, legend, name_of, smoothed

__all__ = ["LossCurveDisplay"]


class LossCurveDisplay(Display):
    """F against iterations or seconds, of one fit or many.

    Make one with `from_estimator` or `from_estimators`.

    Parameters
    ----------
    curves : dict of str to dict
        By name: ``"x"`` and ``"value"``, and where there are some ``"validation_score"`` and
        ``"restarts"`` (places in ``x`` where a run diverged and was sent back).
    x : {"iteration", "seconds"}, default="iteration"
        What ``x`` is.
    smoothing : float, default=0.0
        Weight of the past in the exponentially weighted mean that is drawn over the raw line,
        in ``[0, 1)``; 0 draws the raw line alone.
    optimum : float, default=None
        The least F, drawn as a line.
    gap : bool, default=False
        Whether F less ``optimum`` is drawn, on a logarithmic axis.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Set by `plot`.
    lines_ : dict of str to matplotlib line
        The line of each curve: the smoothed one where there is one.
    line_ : matplotlib line
        The first of them.
    validation_lines_ : dict of str to matplotlib line
        Of validation scores, on an axis of their own at the right.
    """

    def __init__(self, *, curves, x="iteration", smoothing=0.0, optimum=None, gap=False):
        if x not in ("iteration", "seconds"):
            raise ValueError(f"x must be 'iteration' or 'seconds'; got {x!r}.")
        check_number("smoothing", smoothing, low=0, high=1, closed="left")
        if gap and optimum is None:
            raise ValueError("gap=True draws F less its optimum: pass optimum, the least F.")
        self.curves, self.x, self.smoothing = curves, x, smoothing
        self.optimum, self.gap = optimum, gap

    @classmethod
    def from_estimator(
        cls, est, *, x="iteration", smoothing=0.0, optimum=None, gap=False, ax=None, name=None
    ):
        """Draw the loss curve of a fitted estimator.

        Parameters
        ----------
        est : GDRegressor or GDClassifier
            Fitted.
        x : {"iteration", "seconds"}, default="iteration"
            What F is drawn against.
        smoothing : float, default=0.0
            As in the class.
        optimum : float, default=None
            As in the class.
        gap : bool, default=False
            As in the class.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            For the legend; None takes class and solver.

        Returns
        -------
        LossCurveDisplay
            Drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If ``est`` has not been fitted.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skgd import GDRegressor
        >>> from skgd.inspection import LossCurveDisplay
        >>> X, y = load_diabetes(return_X_y=True)
        >>> est = GDRegressor(solver="adam", max_iter=30, tol=None).fit(X, y)
        >>> display = LossCurveDisplay.from_estimator(est)
        >>> len(display.line_.get_xdata())
        30
        """
        check_history(est)
        name = name_of(est) if name is None else name
        options = {"x": x, "smoothing": smoothing, "optimum": optimum, "gap": gap}
        return cls.from_estimators({name: est}, ax=ax, **options)

    @classmethod
    def from_estimators(
        cls, estimators, *, x="iteration", smoothing=0.0, optimum=None, gap=False, ax=None
    ):
        """Draw the loss curves of several fitted estimators.

        Parameters
        ----------
        estimators : dict of str to estimator
            Fitted, by their names for the legend.
        x : {"iteration", "seconds"}, default="iteration"
            What F is drawn against.
        smoothing : float, default=0.0
            As in the class.
        optimum : float, default=None
            As in the class.
        gap : bool, default=False
            As in the class.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        LossCurveDisplay
            Drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If one has not been fitted.
        ImportError
            If matplotlib is not installed.
        """
        if not isinstance(estimators, dict) or not estimators:
            raise ValueError(
                "estimators must be a dict of name to fitted estimator, of at least one; got "
                f"{estimators!r}."
            )
        curves = {}
        for name, est in estimators.items():
            check_history(est)
            steps = np.arange(1, len(est.loss_curve_) + 1)
            at = steps if x == "iteration" else est.history_["seconds"]
            curves[name] = {"x": at, "value": est.loss_curve_}
            back = np.asarray(getattr(est, "restarts_", ()), dtype=int)
            curves[name]["restarts"] = at[back[back <= len(at)] - 1]
            if "validation_score" in est.history_:
                curves[name]["validation_score"] = est.history_["validation_score"]
        display = cls(curves=curves, x=x, smoothing=smoothing, optimum=optimum, gap=gap)
        return display.plot(ax=ax)

    def _draw(self, ax):
        self.lines_, self.validation_lines_ = {}, {}
        right, told = None, False
        for k, (name, curve) in enumerate(self.curves.items()):
            style = STYLES[k % len(STYLES)]
            value = curve["value"] - (self.optimum if self.gap else 0.0)
            if self.gap:
                value = np.where(value > 0, value, np.nan)
            if self.smoothing:
                ax.plot(curve["x"], value, color=style["color"], alpha=0.35, linewidth=0.8)
                value = smoothed(value, self.smoothing)
            few = {"marker": "o"} if len(value) < 2 else {}
            (self.lines_[name],) = ax.plot(curve["x"], value, label=name, **style, **few)
            for place in curve.get("restarts", ()):
                label = None if told else "diverged, sent back"
                ax.axvline(place, color=style["color"], linewidth=0.8, alpha=0.6, label=label)
                told = True
            if "validation_score" in curve:
                right = ax.twinx() if right is None else right
                scored = np.isfinite(curve["validation_score"])
                (self.validation_lines_[name],) = right.plot(
                    np.asarray(curve["x"])[scored], curve["validation_score"][scored],
                    color=style["color"], linestyle=":", marker=".", markersize=3,
                )  # fmt: skip
                ax.plot([], [], color=style["color"], linestyle=":", label=f"{name}: validation")
        if self.optimum is not None and not self.gap:
            ax.axhline(self.optimum, color="0.4", linewidth=0.8, label="optimum")
        ax.set_xlabel(self.x)
        if self.x == "iteration":
            ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_ylabel("F - optimum" if self.gap else "F (mean loss + penalty)")
        if self.gap:
            ax.set_yscale("log")
        if right is not None:
            right.set_ylabel("validation score (more is better)")
        self.line_ = next(iter(self.lines_.values()))
        legend(ax)
