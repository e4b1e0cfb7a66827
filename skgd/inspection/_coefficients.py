"""Coefficients against the strength of the penalty."""

import numpy as np

from .._path import RegularizationPath, regularization_path
from ._base import STYLES, Display

__all__ = ["RegularizationPathDisplay"]

_NAMED = 7  # columns whose names fit beside the axes


class RegularizationPathDisplay(Display):
    """Coefficients of a regularization path, and how many are not zero.

    Make one with `from_path` or `from_estimator`.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Strengths.
    coefs : ndarray of shape (n_alphas, n_features)
        Coefficients of one output.
    feature_names : list of str
        Names of the columns.
    best : float, default=None
        A strength to mark.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Set by `plot`; ``ax_`` is that of the coefficients.
    lines_ : list of matplotlib line
        One for each column.
    line_ : matplotlib line
        The first of them.
    count_line_ : matplotlib line
        The number of coefficients that are not zero, on an axis at the right.
    """

    def __init__(self, *, alphas, coefs, feature_names, best=None):
        self.alphas, self.coefs, self.best = alphas, coefs, best
        self.feature_names = feature_names

    @classmethod
    def from_path(cls, path, *, output=0, feature_names=None, best=None, ax=None):
        """Draw a path.

        Parameters
        ----------
        path : RegularizationPath
            From `skgd.regularization_path`.
        output : int, default=0
            Which class or target, where there are several.
        feature_names : list of str, default=None
            Names of the columns; None takes those that the models know, or numbers.
        best : float, default=None
            A strength to mark, for one that cross-validation chose.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        RegularizationPathDisplay
            Drawn.

        Raises
        ------
        TypeError, ValueError
            If ``path`` is none, or ``output`` or ``feature_names`` do not fit it.
        ImportError
            If matplotlib is not installed.
        """
        if not isinstance(path, RegularizationPath):
            raise TypeError(
                f"path must come from skgd.regularization_path; got {type(path).__name__}."
            )
        coefs = path.coefs.reshape(len(path.alphas), -1, path.coefs.shape[-1])
        if not 0 <= output < coefs.shape[1]:
            raise ValueError(f"output must be in [0, {coefs.shape[1]}); got {output}.")
        coefs = coefs[:, output]
        if feature_names is None:
            known = getattr(path.estimator(0), "feature_names_in_", range(coefs.shape[1]))
            feature_names = [str(name) for name in known]
        if len(feature_names) != coefs.shape[1]:
            raise ValueError(
                f"feature_names has {len(feature_names)} entries, and there are {coefs.shape[1]} "
                "columns."
            )
        names = list(feature_names)
        return cls(alphas=path.alphas, coefs=coefs, feature_names=names, best=best).plot(ax=ax)

    @classmethod
    def from_estimator(cls, est, X, y, *, alphas=None, output=0, ax=None):
        """Fit a path, and draw it.

        Parameters
        ----------
        est : GDRegressor, GDClassifier, or one that chose its alpha by cross-validation
            Its other parameters count; of a fitted one the strength is marked.
        X, y : array
            Rows and targets.
        alphas : array, default=None
            Strengths; None takes a grid from the data.
        output : int, default=0
            Which class or target, where there are several.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        RegularizationPathDisplay
            Drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skgd import GDRegressor
        >>> from skgd.inspection import RegularizationPathDisplay
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> est = GDRegressor(penalty="l1")
        >>> display = RegularizationPathDisplay.from_estimator(est, X, y)
        >>> display.feature_names[:3]
        ['age', 'sex', 'bmi']
        """
        best = getattr(est, "alpha_", None)
        plain = est._plain(alpha=best, l1_ratio=est.l1_ratio_) if best is not None else est
        path = regularization_path(plain, X, y, alphas=alphas)
        names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
        return cls.from_path(path, output=output, feature_names=names, best=best, ax=ax)

    def _draw(self, ax):
        # The largest at the weakest penalty are those that readers ask about.
        order = np.argsort(-np.abs(self.coefs[-1]), kind="stable")
        rank = np.empty(len(order), dtype=int)
        rank[order] = np.arange(len(order))
        self.lines_ = []
        for j in range(self.coefs.shape[1]):
            named = rank[j] < _NAMED
            style = STYLES[rank[j]] if named else {"color": "0.6", "linewidth": 0.7}
            label = self.feature_names[j] if named else None
            self.lines_ += ax.plot(self.alphas, self.coefs[:, j], label=label, **style)
        self.line_ = self.lines_[0]
        count = ax.twinx()
        (self.count_line_,) = count.step(
            self.alphas, np.count_nonzero(self.coefs, axis=1), where="mid",
            color="0.45", linewidth=0.9, label="not zero",
        )  # fmt: skip
        count.set_ylabel("coefficients that are not zero", color="0.35")
        count.set_ylim(bottom=0)
        if self.best is not None:
            ax.axvline(self.best, color="0.2", linewidth=1.0, label=f"chosen, {self.best:.2g}")
        ax.set_xscale("log")
        ax.invert_xaxis()
        ax.set_xlabel("alpha (weaker penalty to the right)")
        ax.set_ylabel("coefficient")
        handles, labels = ax.get_legend_handles_labels()
        places = [self.feature_names[j] for j in order[:_NAMED]]
        by_rank = sorted(
            zip(labels, handles, strict=True),
            key=lambda pair: places.index(pair[0]) if pair[0] in places else _NAMED,
        )
        ax.legend(
            [h for _, h in by_rank], [label for label, _ in by_rank], loc="lower left",
            bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False, fontsize="small",
        )  # fmt: skip
