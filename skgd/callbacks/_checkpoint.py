"""Checkpoints: files from which an interrupted fit goes on as if nothing had happened."""

import hashlib
import os
import pickle
import tempfile
import time
from pathlib import Path

from .._ranges import check_number
from ._base import Callback

__all__ = ["Checkpoint", "read_checkpoint"]

_HEAD = b"skgd checkpoint 1\n"


class Checkpoint(Callback):
    """Writes all that a fit needs to go on, every few iterations.

    `skgd.load_checkpoint` reads the file; the fit that goes on from it ends with the same
    bits as one that was never interrupted.

    Parameters
    ----------
    path : str or os.PathLike
        File to write. It is replaced as a whole, in one move: whatever kills the process, and
        whenever, the file is the last or the one before.
    every : int, default=1
        Iterations from one file to the next. At least 1.
    seconds : float, default=0.0
        Write at most so often: a file is due when both ``every`` iterations and so many
        seconds have passed. At least 0.

    Raises
    ------
    FileNotFoundError
        When the fit starts, if the folder does not exist.

    Notes
    -----
    A file holds the vectors of the solver (see the guide's table of costs), the history, and no
    row of X. It is a pickle: load only files that you trust.

    Examples
    --------
    >>> import os, tempfile, skgd
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd.callbacks import Checkpoint, TimeLimit
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = os.path.join(tempfile.mkdtemp(), "diabetes.checkpoint")
    >>> est = skgd.GDRegressor(solver="sgd", max_iter=30, tol=None, random_state=0)
    >>> cut_short = est.set_callbacks(Checkpoint(path), lambda event: event.iteration == 10)
    >>> cut_short.fit(X, y).n_iter_
    10
    >>> skgd.load_checkpoint(path).fit(X, y).n_iter_
    30
    """

    sees_all = False  # a run that goes on must end as this one would have

    def __init__(self, path, *, every=1, seconds=0.0):
        check_number("every", every, low=1, integer=True)
        check_number("seconds", seconds, low=0)
        self.path, self.every, self.seconds = os.fspath(path), every, seconds

    def start(self, fit):
        folder = Path(self.path).absolute().parent
        if not folder.is_dir():
            raise FileNotFoundError(f"Checkpoint cannot write to {self.path!r}: no such folder.")
        return _Writer(self, fit)


class _Writer:
    def __init__(self, rule, fit):
        self.rule, self.fit = rule, fit
        self.last, self.written = None, -float("inf")

    def __call__(self, event):
        if self.last is None:
            self.last = event.iteration - 1
        now = time.monotonic()
        if event.iteration - self.last < self.rule.every or now - self.written < self.rule.seconds:
            return
        write_checkpoint(self.rule.path, self.fit.snapshot(event))
        self.last, self.written = event.iteration, now


def write_checkpoint(path, record):
    """Replace a file by one that holds ``record``, or leave it as it is.

    Parameters
    ----------
    path : str
        In a folder that exists.
    record : dict
        Of what pickles.
    """
    body = pickle.dumps(record, protocol=pickle.HIGHEST_PROTOCOL)
    folder, name = os.path.split(os.path.abspath(path))
    # In the same folder, so that the move is one of names within a file system.
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_HEAD + hashlib.sha256(body).digest() + body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_checkpoint(path):
    """Return the record in a file.

    Parameters
    ----------
    path : str or os.PathLike
        Written by `Checkpoint`.

    Returns
    -------
    dict
        As it was written.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or is damaged.
    """
    text = os.fspath(path)
    with open(path, "rb") as file:
        content = file.read()
    if content[: len(_HEAD)] != _HEAD:
        raise ValueError(f"{text!r} is not a checkpoint of skgd: it does not begin as one.")
    digest, body = content[len(_HEAD) : len(_HEAD) + 32], content[len(_HEAD) + 32 :]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError(
            f"The checkpoint {text!r} is damaged: its {len(content)} bytes do not have the sum "
            "that it was written with. Copy it again, or fit anew."
        )
    return pickle.loads(body)
