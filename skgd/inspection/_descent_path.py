"""Contours of a function, and the ways that descents took over them."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from .._build import null_point
from .._ranges import check_number
from ._base import STYLES, Display, legend, name_of, problem_of

__all__ = ["DescentPathDisplay"]

_GRID = 81
_ROWS = 2_000
_LEVELS = 18


class DescentPathDisplay(Display):
    """Contours of a function of two numbers, with the paths of descents.

    Make one with `from_function` or `from_estimator`.

    Parameters
    ----------
    grid : tuple of ndarray
        Numbers along both axes.
    values : ndarray of shape (len(grid[1]), len(grid[0]))
        The function there.
    paths : dict of str to ndarray of shape (n_points, 2)
        By name.
    labels : tuple of str, default=("x", "y")
        Of the axes.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Set by `plot`.
    lines_ : dict of str to matplotlib line
        The line of each path.
    line_ : matplotlib line
        The first of them.
    contours_ : matplotlib contour set
        Their levels crowd where the function is low.
    """

    def __init__(self, *, grid, values, paths, labels=("x", "y")):
        self.grid, self.values, self.paths, self.labels = grid, values, paths, labels

    @classmethod
    def from_function(cls, fun, paths, *, xlim=None, ylim=None, ax=None):
        """Draw paths over a function.

        Parameters
        ----------
        fun : callable
            From a point of shape (2,) to a number. One that takes points of shape
            (..., 2) at once is asked for all of them together.
        paths : dict of str to array of shape (n_points, 2), or an array
            The points of each descent, in their order. What `scipy.optimize.minimize` returns
            with ``return_path=True`` will do as well.
        xlim, ylim : tuple of float, default=None
            What to show. None shows the paths, with a margin.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        DescentPathDisplay
            Drawn.

        Raises
        ------
        ValueError
            If a path has another shape.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.inspection import DescentPathDisplay
        >>> valley = lambda x: x[..., 0] ** 2 + 20 * x[..., 1] ** 2
        >>> x, path = np.array([2.0, 1.0]), []
        >>> for _ in range(20):
        ...     path.append(x)
        ...     x = x - 0.045 * x * [2, 40]
        >>> display = DescentPathDisplay.from_function(valley, {"gd": np.array(path)})
        >>> list(display.lines_)
        ['gd']
        """
        paths = _checked(paths)
        grid = _grid(paths, xlim, ylim)
        points = np.stack(np.meshgrid(*grid), axis=-1)
        return cls(grid=grid, values=_over(fun, points), paths=paths).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, est, X, y, *, features=(0, 1), variables="user", xlim=None, ylim=None, ax=None
    ):
        """Fit, and draw the way of the coefficients over F.

        Parameters
        ----------
        est : GDRegressor or GDClassifier, or dict of str to one of these
            Cloned and fitted. Several must minimise the same F: they may differ in solver, rate
            and schedule, not in loss, penalty and ``alpha``.
        X, y : array
            Rows and targets, of one output.
        features : tuple of int or None, default=(0, 1)
            Two columns whose coefficients are shown; all others are those of the end of the
            first fit. None shows the plane in which the first path spreads most.
        variables : {"user", "scaled"}, default="user"
            Whether coefficients are those of X, or of X with columns of deviation one.
        xlim, ylim : tuple of float, default=None
            What to show. None shows the paths, with a margin.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        DescentPathDisplay
            Drawn. F is that of at most 2,000 rows, evenly spaced.

        Raises
        ------
        ValueError
            If there are several outputs, or ``features`` are not two columns.
        ImportError
            If matplotlib is not installed.
        """
        if variables not in ("user", "scaled"):
            raise ValueError(f"variables must be 'user' or 'scaled'; got {variables!r}.")
        several = est if isinstance(est, dict) else {name_of(est): est}
        tracks = {name: _track(one, X, y) for name, one in several.items()}
        model, track = tracks[next(iter(tracks))]
        d = model.n_features_in_
        if track.shape[1] != d + 1:
            raise ValueError("DescentPathDisplay shows one output: two classes, or one target.")
        scale = np.ones(d + 1)
        if variables == "scaled":
            rows, _ = model._check_rows(X, y, reset=False)
            scaler = StandardScaler(with_mean=False).fit(rows)
            scale[:d] = scaler.scale_
        end = track[-1] * scale
        if features is None:
            frame = np.linalg.svd(track * scale - end, full_matrices=False)[2][:2]
            labels = "first direction of the path", "second direction"
        else:
            frame, labels = _two(features, d, model)
        # Coefficients have an origin of their own; in a plane the end is it.
        origin = np.zeros(2) if features is None else frame @ end
        paths = {
            name: (points * scale - end) @ frame.T + origin for name, (_, points) in tracks.items()
        }
        base = end - frame.T @ origin
        F = problem_of(model, X, y).sample(_ROWS).value
        grid = _grid(paths, xlim, ylim)
        points = np.stack(np.meshgrid(*grid), axis=-1)
        thetas = (base + points @ frame) / scale
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.array([[F(theta) for theta in row] for row in thetas])
        if variables == "scaled" and features is not None:
            labels = tuple(f"{label} times its deviation" for label in labels)
        return cls(grid=grid, values=values, paths=paths, labels=labels).plot(ax=ax)

    def _draw(self, ax):
        self.lines_ = {}
        values = np.where(np.isfinite(self.values), self.values, np.nan)
        low, high = np.nanmin(values), np.nanmax(values)
        # As many in the last hundredth of the way down as above it.
        share = np.geomspace(1e-4, 1.0, _LEVELS)
        levels = low + (high - low) * share if high > low else None
        self.contours_ = ax.contour(
            *self.grid, values, levels=levels, colors="0.7", linewidths=0.7, zorder=0
        )
        for k, (name, path) in enumerate(self.paths.items()):
            style = STYLES[k % len(STYLES)]
            mark = {"marker": "o", "markersize": 2.5, "linewidth": 1.1}
            (self.lines_[name],) = ax.plot(*path.T, label=name, **style, **mark)
            ax.plot(*path[-1], marker="*", markersize=11, color=style["color"], markeredgecolor="w")
        start = next(iter(self.paths.values()))[0]
        ax.plot(*start, marker="s", markersize=6, color="k", linestyle="", label="start")
        self.line_ = next(iter(self.lines_.values()))
        ax.set_xlim(self.grid[0][0], self.grid[0][-1])
        ax.set_ylim(self.grid[1][0], self.grid[1][-1])
        ax.set_xlabel(self.labels[0])
        ax.set_ylabel(self.labels[1])
        legend(ax)


def _checked(paths):
    """Return a dict of arrays of shape (n_points, 2)."""
    several = paths if isinstance(paths, dict) and not hasattr(paths, "nit") else {"path": paths}
    found = {}
    for name, path in several.items():
        points = np.asarray(getattr(path, "path", path), dtype=float)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(
                f"The path {name!r} must have shape (n_points, 2); it has {points.shape}."
            )
        found[str(name)] = points
    if not found:
        raise ValueError("paths is empty: there is nothing to draw.")
    return found


def _grid(paths, xlim, ylim):
    points = np.concatenate(list(paths.values()))
    points = points[np.isfinite(points).all(axis=1)]
    axes = []
    for j, (name, given) in enumerate((("xlim", xlim), ("ylim", ylim))):
        if given is None:
            low, high = np.percentile(points[:, j], [0, 100])
            margin = 0.15 * (high - low) or 0.5 * max(abs(high), 1e-3)
            given = low - margin, high + margin
        low, high = given
        check_number(f"the low end of {name}", float(low))
        check_number(f"the high end of {name}", float(high), low=float(low), closed="neither")
        axes.append(np.linspace(low, high, _GRID))
    return tuple(axes)


def _over(fun, points):
    """Return the function at all points, at once where it can."""
    shape = points.shape[:-1]
    with np.errstate(all="ignore"):
        try:
            values = np.asarray(fun(points), dtype=float)
        except (TypeError, ValueError, IndexError):
            values = np.empty(0)
        if values.shape != shape:
            flat = [float(fun(point)) for point in points.reshape(-1, 2)]
            values = np.reshape(flat, shape)
    return values


def _two(features, d, model):
    pair = tuple(features) if hasattr(features, "__len__") else ()
    if len(pair) != 2 or pair[0] == pair[1] or not all(0 <= int(j) < d for j in pair):
        raise ValueError(f"features must be two different columns in [0, {d}); got {features!r}.")
    frame = np.zeros((2, d + 1))
    frame[0, pair[0]] = frame[1, pair[1]] = 1.0
    names = getattr(model, "feature_names_in_", [f"column {j}" for j in range(d)])
    return frame, tuple(f"coefficient of {names[j]}" for j in pair)


def _track(est, X, y):
    """Return a fitted clone, and the points it went through, the start first."""
    points = []
    model = clone(est).set_callbacks(lambda event: points.append(event.theta))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    begin = np.zeros_like(points[0])
    if isinstance(model.eta0, str):
        begin = null_point(problem_of(model, X, y))
    return model, np.array([begin, *points])
