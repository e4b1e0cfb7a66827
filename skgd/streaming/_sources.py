"""Rows in memory or in a memory map, in batches; and any source read ahead on a thread."""

import queue
import threading

from .._ranges import check_number

__all__ = ["ArrayBatches", "Batches", "Prefetch"]


class Batches:
    """Something that yields ``(X, y)`` or ``(X, y, sample_weight)``, as often as it is asked.

    Parameters
    ----------
    batch_size : int
        Rows of a batch; the last one may have fewer. At least 1.

    Attributes
    ----------
    feature_names : list of str or None
        What the columns of X are called, once a reading has begun; None where they have no
        names. `fit_stream` hands them to the model, since X may be an array.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import GDRegressor
    >>> from skgd.streaming import Batches, fit_stream
    >>> class Drawn(Batches):
    ...     def __iter__(self):
    ...         rng = np.random.default_rng(0)
    ...         for _ in range(5):
    ...             X = rng.normal(size=(self.batch_size, 2))
    ...             yield X, X[:, 0]
    >>> fit_stream(GDRegressor(), Drawn(100)).coef_.round(1)
    array([1., 0.])
    """

    feature_names = None

    def __init__(self, batch_size):
        check_number("batch_size", batch_size, low=1, integer=True)
        self.batch_size = batch_size

    def __iter__(self):
        raise NotImplementedError


class ArrayBatches(Batches):
    """Arrays, memory maps or CSR matrices in storage order, without a copy of dense rows.

    Parameters
    ----------
    X : array or sparse matrix of shape (n_rows, n_features)
        ``numpy.load(path, mmap_mode="r")`` for rows in a file.
    y : array of shape (n_rows,) or (n_rows, n_targets)
        Targets.
    sample_weight : array of shape (n_rows,), default=None
        Weights.
    batch_size : int, default=10000
        Rows of a batch. At least 1.

    Raises
    ------
    ValueError
        If lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.streaming import ArrayBatches
    >>> [len(y) for X, y in ArrayBatches(np.ones((5, 2)), np.ones(5), batch_size=2)]
    [2, 2, 1]
    """

    def __init__(self, X, y, sample_weight=None, *, batch_size=10_000):
        super().__init__(batch_size)
        self.parts = (X, y) if sample_weight is None else (X, y, sample_weight)
        lengths = [part.shape[0] if hasattr(part, "shape") else len(part) for part in self.parts]
        if len(set(lengths)) > 1:
            raise ValueError(f"X, y and sample_weight have different lengths: {lengths}.")
        self.n_rows = lengths[0]

    def __iter__(self):
        for start in range(0, self.n_rows, self.batch_size):
            yield tuple(part[start : start + self.batch_size] for part in self.parts)


class Prefetch:
    """Another source, read on a thread of its own while batches are learnt.

    Parameters
    ----------
    batches : iterable
        What is read.
    ahead : int, default=2
        Batches that may wait. At least 1.

    Attributes
    ----------
    feature_names : list of str or None
        Those of the source.

    Notes
    -----
    It pays where reading waits for a disk or a server, or decodes outside of Python's lock.
    The thread ends when the source does, and when the loop over it is left early. What the
    source raises is raised where its batch would have come.

    Examples
    --------
    >>> from skgd.streaming import Prefetch
    >>> list(Prefetch(range(5), ahead=2))
    [0, 1, 2, 3, 4]
    """

    def __init__(self, batches, ahead=2):
        check_number("ahead", ahead, low=1, integer=True)
        self.batches, self.ahead = batches, ahead

    @property
    def feature_names(self):
        return getattr(self.batches, "feature_names", None)

    def __iter__(self):
        waiting, left = queue.Queue(self.ahead), threading.Event()

        def hand_over(item):
            while not left.is_set():
                try:
                    waiting.put(item, timeout=0.05)
                    return True
                except queue.Full:
                    continue
            return False

        def read():
            try:
                for batch in self.batches:
                    if not hand_over((batch, None)):
                        return
                hand_over((None, StopIteration()))
            except BaseException as error:
                hand_over((None, error))

        thread = threading.Thread(target=read, name="skgd-reader", daemon=True)
        thread.start()
        try:
            while True:
                batch, error = waiting.get()
                if isinstance(error, StopIteration):
                    return
                if error is not None:
                    raise error
                yield batch
        finally:
            left.set()
            thread.join()
