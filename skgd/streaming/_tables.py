"""What files of tables and databases share: columns by name, targets of one type."""

import numpy as np

from ._sources import Batches

__all__ = ["Labels", "TableBatches", "as_target", "import_arrow", "is_number"]


def import_arrow(what, part):
    """Return a module of pyarrow, or raise an ImportError that names the extra."""
    from importlib import import_module

    try:
        return import_module(f"pyarrow.{part}")
    except ImportError as error:
        raise ImportError(
            f"{what} reads with pyarrow, which is not installed: pip install 'skgd[arrow]'."
        ) from error


class TableBatches(Batches):
    """Batches of a table whose columns have names.

    Parameters
    ----------
    target : str
        Column of the targets.
    features : list of str or None
        Columns of X, in this order; None takes all others.
    weight : str or None
        Column of sample weights.
    batch_size : int
        Rows of a batch.
    dtype : dtype
        Of X, float64 or float32.
    """

    def __init__(self, target, features, weight, batch_size, dtype):
        super().__init__(batch_size)
        self.target, self.weight = target, weight
        self.features = None if features is None else list(features)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float64, np.float32):
            raise ValueError(f"dtype must be float64 or float32; got {dtype!r}.")

    def _columns(self, there, where):
        """Check that all columns are there; set ``feature_names``, those of X, and return them."""
        own = [self.target] if self.weight is None else [self.target, self.weight]
        features = self.features
        if features is None:
            features = [name for name in there if name not in own]
        missing = [name for name in [*features, *own] if name not in there]
        if missing:
            raise ValueError(
                f"{where} has no column {', '.join(map(repr, missing))}; it has "
                f"{', '.join(map(repr, there))}."
            )
        if not features:
            raise ValueError(f"{where} has no columns beside {', '.join(map(repr, own))}.")
        self.feature_names = features
        return features

    def _matrix(self, columns):
        """Return columns side by side, rows contiguous."""
        X = np.empty((len(columns[0]), len(columns)), dtype=self.dtype)
        for j, column in enumerate(columns):
            X[:, j] = column
        return X


class Labels:
    """Targets of a batch, before it is known whether those of the stream are numbers.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Of numbers or text.
    """

    def __init__(self, values):
        self.values = values

    def numbers(self):
        """Return them as whole numbers or numbers, or None where they are not."""
        if self.values.dtype.kind in "iubf":
            return self.values
        for one in (int, float):
            try:
                return self.values.astype(one)
            except (ValueError, TypeError, OverflowError):
                continue
        return None

    def text(self):
        """Return them as text."""
        return self.values.astype(str)


def as_target(labels, text, where):
    """Return targets as an array of one kind for the whole stream.

    Parameters
    ----------
    labels : Labels
        Of a batch.
    text : bool or None
        Whether targets are text; None decides it by this batch, the first.
    where : callable
        Gives, for the number of a row in the batch, the words that say where it is.

    Returns
    -------
    ndarray, bool
        The targets, and whether they are text.

    Raises
    ------
    ValueError
        If one is no number, and those before were.
    """
    if text:
        return labels.text(), True
    found = labels.numbers()
    if found is not None:
        return found, False
    if text is None:
        return labels.text(), True
    shown = labels.text()
    bad = next(i for i, value in enumerate(shown) if not is_number(value))
    raise ValueError(
        f"{where(bad)}: the target is {str(shown[bad])!r}, where those before are numbers."
    )


def is_number(value):
    """Return whether a text reads as a number."""
    try:
        float(value)
    except (ValueError, TypeError):
        return False
    return True
