"""The picture of a race: how far from F* against seconds, one line a solver."""

import numpy as np

__all__ = ["draw", "style"]

_COLOURS = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
_DASHES = "-", "--", "-.", ":", (0, (5, 1))
_LOWEST = 1e-10


def style(n):
    """Return colour and dash of the n-th line; they differ in both."""
    return {"color": _COLOURS[n % len(_COLOURS)], "linestyle": _DASHES[n % len(_DASHES)]}


def draw(path, title, rungs, least):
    """Write a figure of about 600 pixels.

    Parameters
    ----------
    path : str or os.PathLike
        Of a PNG or SVG file.
    title : str
        Above the axes.
    rungs : list of Rung
        Runs of all solvers.
    least : float
        F*.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "Figures need matplotlib: pip install 'skgd[bench]'; --no-figures goes without."
        ) from error
    fig, ax = pyplot.subplots(figsize=(6.2, 4.4), layout="constrained")
    keys = list(dict.fromkeys((rung.library, rung.solver) for rung in rungs))
    for n, key in enumerate(keys):
        own = sorted((r for r in rungs if (r.library, r.solver) == key), key=lambda r: r.seconds)
        seconds = np.array([rung.seconds for rung in own])
        # The best so far: a looser tolerance never needs longer to be as good.
        gap = np.minimum.accumulate([(r.value - least) / abs(least) for r in own])
        width = 2.2 if key == ("skgd", "auto") else 1.1
        label = {"label": " ".join(key), "marker": "o", "markersize": 3}
        ax.loglog(seconds, np.maximum(gap, _LOWEST), **style(n), linewidth=width, **label)
    ax.set(xlabel="seconds", ylabel="(F - F*) / F*", ylim=(_LOWEST / 2, None))
    ax.set_title(title, fontsize="medium")
    fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="x-small")
    fig.savefig(path, dpi=100)
    pyplot.close(fig)
