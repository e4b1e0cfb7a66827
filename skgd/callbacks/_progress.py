"""How a run goes, for people who watch: lines, or a bar on a terminal."""

import sys
import time
from typing import Any, NamedTuple

from .._ranges import check_number
from ._base import Callback

__all__ = ["Lines", "PrintProgress", "StreamEvent", "progress", "stream_progress"]

_SELDOM = 0.5  # seconds between two lines about a stream


class PrintProgress(Callback):
    """Prints a line every few iterations: pass, F, violation, rate, seconds.

    Parameters
    ----------
    every : int, default=1
        Iterations from one line to the next. At least 1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.callbacks import PrintProgress
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="sgd", max_iter=20, tol=None, random_state=0)
    >>> est = est.set_callbacks(PrintProgress(every=10)).fit(X, y)  # doctest: +ELLIPSIS
    [GDRegressor] pass    10  F ...
    [GDRegressor] pass    20  F ...
    """

    def __init__(self, every=1):
        check_number("every", every, low=1, integer=True)
        self.every = every

    def start(self, fit):
        return Lines(type(fit.estimator).__name__, self.every)


class Lines:
    """Prints a line every few iterations.

    Parameters
    ----------
    name : str
        Stands at the beginning of each line.
    every : int, default=1
        Iterations from one line to the next.
    """

    sees_all = True

    def __init__(self, name, every=1):
        self.name, self.every = name, every

    def __call__(self, event):
        if event.iteration % self.every:
            return
        print(
            f"[{self.name}] pass {event.iteration:5d}  F {event.value:.8e}  "
            f"violation {event.violation:.2e}  rate {event.rate:.3e}  "
            f"{event.seconds:8.3f} s"
        )


def progress(name, verbose, max_iter, done=0):
    """Return what shows a run: a bar on a terminal where ``verbose`` is 1, else lines.

    Parameters
    ----------
    name : str
        Stands at the beginning.
    verbose : int
        Above 0.
    max_iter, done : int
        Iterations at most, and those done before.

    Returns
    -------
    callable
        To be called with each event, and to be closed if it has a method ``close``.
    """
    if verbose == 1 and sys.stdout.isatty():
        for bar in (_TqdmBar, _RichBar):
            try:
                return bar(name, max_iter, done)
            except ImportError:
                continue
    return Lines(name)


class _TqdmBar:
    def __init__(self, name, max_iter, done):
        from tqdm import tqdm

        self.bar = tqdm(total=max_iter, initial=done, desc=name, unit="pass", file=sys.stdout)

    def __call__(self, event):
        self.bar.set_postfix_str(f"F {event.value:.6g}, rate {event.rate:.2e}", refresh=False)
        self.bar.update(event.iteration - self.bar.n)

    def close(self):
        self.bar.close()


class _RichBar:
    def __init__(self, name, max_iter, done):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = "{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[now]}"
        self.bar = Progress(*columns, TimeRemainingColumn())
        self.task = self.bar.add_task(name, total=max_iter, completed=done, now="")
        self.bar.start()

    def __call__(self, event):
        now = f"F {event.value:.6g}, rate {event.rate:.2e}"
        self.bar.update(self.task, completed=event.iteration, now=now)

    def close(self):
        self.bar.stop()


class StreamEvent(NamedTuple):
    """What the callback of `skgd.streaming.fit_stream` sees after a batch.

    Parameters
    ----------
    batch, epoch : int
        1, 2, ...; batches are counted over all epochs.
    rows : int
        Learnt so far.
    seconds : float
        Since the stream began.
    progressive : float
        Mean loss of the batch before it was learnt; nan for the first.
    estimator : GDRegressor or GDClassifier
        As it is now.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import GDRegressor
    >>> from skgd.streaming import ArrayBatches, fit_stream
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> rows = []
    >>> batches = ArrayBatches(X, X[:, 0], batch_size=20)
    >>> est = fit_stream(GDRegressor(), batches, callback=lambda event: rows.append(event.rows))
    >>> rows
    [20, 40, 60]
    """

    batch: int
    epoch: int
    rows: int
    seconds: float
    progressive: float
    estimator: Any


def stream_progress(name):
    """Return what prints a line about a stream now and then.

    Parameters
    ----------
    name : str
        Stands at the beginning.

    Returns
    -------
    callable
        To be called with each `StreamEvent`.
    """
    last = -_SELDOM

    def show(event):
        nonlocal last
        if time.perf_counter() - last < _SELDOM:
            return
        last = time.perf_counter()
        print(
            f"[{name}] batch {event.batch:5d}  rows {event.rows:9d}  loss before learning "
            f"{event.progressive:.6g}  {event.rows / max(event.seconds, 1e-9):9.0f} rows/s"
        )

    return show
