"""Going on with a fit from a checkpoint."""

import functools
import zlib

import numpy as np
from sklearn.base import clone

from ._protocols import Record
from .callbacks import read_checkpoint

__all__ = ["Origin", "check_resumable", "drawn_anew", "fingerprint", "load_checkpoint", "snapshot"]

_ROWS = 256  # that stand for all of X
# What does not change where a run goes, only how far and how it is shown; but for rates that count
# on its end.
_FREE = frozenset("max_iter tol verbose n_jobs warm_start".split())


def load_checkpoint(path, estimator=None):
    """Return the estimator of a checkpoint, whose ``fit`` goes on where that was written.

    ``fit`` with the same data ends with the same bits as a fit that was never interrupted, in
    coefficients and in ``history_``. With another ``max_iter`` or ``tol`` rates that count on the
    end are those of the new run from there on. Until then the estimator is fitted with the
    coefficients that the run had reached. Its ``warm_start`` is True; with False, ``fit`` begins
    anew.

    Parameters
    ----------
    path : str or os.PathLike
        Written by `skgd.callbacks.Checkpoint`. A pickle: load only files that you trust.
    estimator : GDRegressor or GDClassifier, default=None
        What the checkpoint is expected to be of. None takes it as it comes.

    Returns
    -------
    GDRegressor or GDClassifier
        Without callbacks: set them again.

    Raises
    ------
    ValueError
        If the file is damaged, or of another version of skgd, or of another estimator or
        other parameters than ``estimator`` has. ``fit`` raises it for other data.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor, load_checkpoint
    >>> from skgd.callbacks import Checkpoint
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="adam", max_iter=20, tol=None, random_state=0)
    >>> whole = est.fit(X, y).coef_
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "run"
    ...     cut = est.set_callbacks(Checkpoint(path, every=5), lambda event: event.iteration == 12)
    ...     _ = cut.fit(X, y)
    ...     resumed = load_checkpoint(path)
    >>> bool((resumed.fit(X, y).coef_ == whole).all())
    True
    """
    from . import __version__

    record = read_checkpoint(path)
    if record.version != __version__:
        raise ValueError(
            f"The checkpoint {path!r} was written by skgd {record.version}, here is {__version__}: "
            "a run cannot go on bit for bit. Install that version, or fit anew."
        )
    est = clone(record.estimator)
    if estimator is not None:
        if type(estimator) is not type(est):
            raise ValueError(
                f"The checkpoint {path!r} is of a {type(est).__name__}, not of a "
                f"{type(estimator).__name__}."
            )
        _same_params(est, estimator)
        est.set_params(**{key: getattr(estimator, key) for key in _FREE})
    vars(est).update(record.fitted)
    est.set_params(warm_start=True)
    est._resume = record
    return est


def _same_params(saved, given):
    before, now = saved.get_params(), given.get_params()
    other = [
        f"{key}={now.get(key)!r} (was {before.get(key)!r})"
        for key in sorted({*before, *now})
        if key not in _FREE and repr(before.get(key)) != repr(now.get(key))
    ]
    if other:
        raise ValueError(
            f"A run cannot go on with other parameters: {', '.join(other)}. Set them back, or set "
            "warm_start=False to begin anew."
        )


def fingerprint(data):
    """Return what tells these rows, targets and weights from others, for little work.

    Parameters
    ----------
    data : Data
        Validated.

    Returns
    -------
    dict
        What is compared, by name.
    """
    X, n = data.X, data.X.shape[0]
    rows = np.unique(np.linspace(0, n - 1, min(n, _ROWS)).astype(int))
    some = X[rows]
    parts = [some] if isinstance(some, np.ndarray) else [some.data, some.indices, some.indptr]
    sums = [zlib.crc32(np.ascontiguousarray(part)) for part in parts]
    return {
        "shape of X": tuple(X.shape),
        "type of X": str(X.dtype),
        "storage of X": "dense" if isinstance(some, np.ndarray) else "sparse",
        "entries of X": sums,
        "targets": zlib.crc32(np.ascontiguousarray(data.targets.y)),
        "weights": zlib.crc32(np.ascontiguousarray(data.s)),
    }


def check_resumable(est, record, data):
    """Raise ValueError where a run cannot go on with these parameters and data.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        About to be fitted.
    record : Record
        Of the checkpoint.
    data : Data
        Validated.
    """
    _same_params(record.estimator, est)
    found = fingerprint(data)
    for name, before in record.data.items():
        if found[name] != before:
            shown = "" if isinstance(before, list | int) else f": {found[name]}, was {before}"
            raise ValueError(
                f"The checkpoint is of other data: the {name} differ{shown}. Pass the same X, y "
                "and sample_weight, or set warm_start=False to begin anew."
            )


def drawn_anew(record):
    """Return the random generator that the fit of a record began with.

    Parameters
    ----------
    record : Record
        Of the checkpoint.

    Returns
    -------
    numpy.random.RandomState
    """
    rng = np.random.RandomState(0)
    rng.set_state(record.rng)
    return rng


class Origin:
    """What a fit began from.

    Parameters
    ----------
    data : Data
        Validated, before rows are held out.
    rng : numpy.random.RandomState
        Before the fit draws from it.
    """

    def __init__(self, data, rng):
        self.data, self.rng = data, rng.get_state(legacy=False)

    @functools.cached_property
    def fingerprint(self):
        """From `fingerprint`."""
        return fingerprint(self.data)


def snapshot(est, solver, origin, watches, event):
    """Return the record of a run after an iteration.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Being fitted.
    solver : Solver or Rule
        That runs.
    origin : Origin
        Of this fit.
    watches : list
        What watches the run; of each the attributes named in ``changing`` are kept.
    event : UserEvent
        After the iteration.

    Returns
    -------
    Record
        To be pickled at once: it shares the arrays of the run.
    """
    from . import __version__

    own = clone(est)
    if "_skl_callbacks" in vars(own):
        own.set_callbacks()
    fitted = {
        key: value
        for key, value in vars(est).items()
        if key in ("n_features_in_", "feature_names_in_", "classes_", "_flat_target")
    }
    history = next(one for one in watches if hasattr(one, "arrays")).arrays()
    fitted.update(
        coef_=event.coef,
        intercept_=event.intercept,
        n_iter_=event.iteration,
        t_=event.t + 1,
        loss_curve_=history["value"].copy(),
        history_=history,
        solver_=solver,
        converged_=False,
        stop_reason_="interrupted",
        optimality_=np.nan,
        optimality_kind_="violation",
    )
    return Record(
        version=__version__,
        estimator=own,
        fitted=fitted,
        data=origin.fingerprint,
        rng=origin.rng,
        iteration=event.iteration,
        seconds=event.seconds,
        state=event.state,
        watch=[{name: getattr(one, name) for name in one.changing} for one in watches],
    )
