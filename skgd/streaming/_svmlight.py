"""LIBSVM / SVMLight files in batches."""

import bz2
import gzip
import io
import os

import numpy as np
from sklearn.datasets import load_svmlight_file

from .._ranges import check_flag, check_number
from ._sources import Batches

__all__ = ["SVMLightBatches"]


class SVMLightBatches(Batches):
    """A file in the LIBSVM / SVMLight format, in batches of CSR rows.

    Parameters
    ----------
    path : str or os.PathLike
        The file; names that end in ``.gz`` or ``.bz2`` are unpacked on the way.
    n_features : int, default=None
        Columns. None reads the whole file once, before the first batch, to find the largest.
    batch_size : int, default=10000
        Rows of a batch. At least 1.
    zero_based : bool, default=False
        Whether the first column is called 0; LIBSVM calls it 1.
    dtype : dtype, default=float64
        Of the values: float64 or float32.

    Raises
    ------
    ValueError
        While reading, if a line cannot be understood or has a column beyond ``n_features``, or
        the file ends too soon: it names the file, the line and the reason.

    Examples
    --------
    >>> import os, tempfile
    >>> from skgd.streaming import SVMLightBatches
    >>> path = os.path.join(tempfile.mkdtemp(), "small.svm")
    >>> with open(path, "w") as file:
    ...     _ = file.write("1 1:2 3:1\\n0 2:4\\n")
    >>> for X, y in SVMLightBatches(path):
    ...     print(X.toarray().tolist(), y.tolist())
    [[2.0, 0.0, 1.0], [0.0, 4.0, 0.0]] [1.0, 0.0]
    """

    def __init__(
        self, path, *, n_features=None, batch_size=10_000, zero_based=False, dtype=np.float64
    ):
        super().__init__(batch_size)
        if n_features is not None:
            check_number("n_features", n_features, low=1, integer=True)
        check_flag("zero_based", zero_based)
        self.path, self.n_features = os.fspath(path), n_features
        self.zero_based, self.dtype = zero_based, dtype

    def __iter__(self):
        if self.n_features is None:
            self.n_features = max((X.shape[1] for X, _ in self._batches(None)), default=1)
        return self._batches(self.n_features)

    def _batches(self, n_features):
        first = 1
        for lines in self._chunks():
            try:
                found = self._parsed(lines, n_features)
            except ValueError:
                self._find(lines, n_features, first)
                raise
            if found[1].size:
                yield found
            first += len(lines)

    def _chunks(self):
        opened = {".gz": gzip.open, ".bz2": bz2.open}.get(os.path.splitext(self.path)[1], open)
        read, lines = 0, []
        with opened(self.path, "rb") as file:
            try:
                for line in file:
                    lines.append(line)
                    if len(lines) == self.batch_size:
                        yield lines
                        read, lines = read + len(lines), []
            except (EOFError, OSError) as error:
                raise ValueError(
                    f"{self.path}: nothing can be read after line {read + len(lines)}: {error}"
                ) from error
        if lines:
            yield lines

    def _parsed(self, lines, n_features):
        return load_svmlight_file(
            io.BytesIO(b"".join(lines)),
            n_features=n_features,
            zero_based=self.zero_based,
            dtype=self.dtype,
        )

    def _find(self, lines, n_features, first):
        """Raise a ValueError that names the line at fault."""
        for number, line in enumerate(lines, start=first):
            try:
                self._parsed([line], n_features)
            except ValueError as error:
                shown = line.strip()[:60].decode("utf-8", "replace")
                raise ValueError(f"{self.path}, line {number}: {error} ({shown!r})") from error
