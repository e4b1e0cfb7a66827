"""Parquet and Arrow data sets in batches."""

import numpy as np

from ._sources import Prefetch
from ._tables import Labels, TableBatches, as_target, import_arrow

__all__ = ["ParquetBatches"]


class ParquetBatches(TableBatches):
    """Parquet files, or any data set that pyarrow reads, in batches.

    Record batches are read and decoded on a thread ahead of the learner.

    Parameters
    ----------
    source : str, os.PathLike, list of them, or pyarrow.dataset.Dataset
        A file, a folder of files, or a data set.
    target : str
        Column of the targets, of numbers or text.
    features : list of str, default=None
        Columns of X, all of numbers, in this order. None takes all but ``target`` and
        ``weight``. A null is NaN.
    weight : str, default=None
        Column of sample weights.
    batch_size : int, default=10000
        Rows of a batch at most: batches end where row groups and files do. At least 1.
    filter : pyarrow.dataset.Expression, default=None
        Which rows to read.
    dtype : dtype, default=float64
        Of X: float64 or float32.

    Raises
    ------
    ImportError
        If pyarrow is not installed: it is the extra ``skgd[arrow]``.
    ValueError
        While reading, if a column is missing or holds no numbers, or a file is damaged.

    Examples
    --------
    >>> import os, tempfile
    >>> import pandas as pd
    >>> from skgd.streaming import ParquetBatches
    >>> path = os.path.join(tempfile.mkdtemp(), "small.parquet")
    >>> pd.DataFrame({"a": [1.0, 3.0], "label": ["no", "yes"]}).to_parquet(path)
    >>> for X, y in ParquetBatches(path, target="label"):
    ...     print(X.tolist(), y.tolist())
    [[1.0], [3.0]] ['no', 'yes']
    """

    def __init__(
        self,
        source,
        *,
        target,
        features=None,
        weight=None,
        batch_size=10_000,
        filter=None,
        dtype=np.float64,
    ):
        super().__init__(target, features, weight, batch_size, dtype)
        import_arrow("ParquetBatches", "dataset")
        self.source, self.filter = source, filter

    def __iter__(self):
        return iter(Prefetch(self._batches()))

    def _name(self):
        return "The data set" if hasattr(self.source, "to_batches") else str(self.source)

    def _batches(self):
        import pyarrow as pa

        dataset = import_arrow("ParquetBatches", "dataset")
        try:
            found = self.source
            if not hasattr(found, "to_batches"):
                found = dataset.dataset(found, format="parquet")
            names = found.schema.names
            features = self._columns(names, self._name())
            self._check_types(found.schema, features, pa)
            wanted = [*features, self.target, *([] if self.weight is None else [self.weight])]
            # A name may be wanted twice, as a feature and as weights.
            columns = list(dict.fromkeys(wanted))
            text = None
            for batch in self._scan(found, columns, dataset):
                if not batch.num_rows:
                    continue
                y = Labels(batch.column(self.target).to_numpy(zero_copy_only=False))
                y, text = as_target(y, text, lambda i: self._name())
                X = self._matrix([self._numbers(batch, name) for name in features])
                weights = () if self.weight is None else (self._numbers(batch, self.weight),)
                yield X, y, *weights
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(f"{self._name()} cannot be read: {error}") from error

    def _scan(self, found, columns, dataset):
        """Yield record batches, a row group after the other: else whole files are read ahead."""
        how = {"columns": columns, "filter": self.filter, "batch_size": self.batch_size}
        how |= {"batch_readahead": 0, "fragment_readahead": 1, "schema": found.schema}
        for fragment in found.get_fragments(self.filter):
            groups = [fragment]
            if hasattr(fragment, "split_by_row_group"):
                groups = fragment.split_by_row_group(self.filter, found.schema)
                how["fragment_scan_options"] = dataset.ParquetFragmentScanOptions(
                    pre_buffer=False, use_buffered_stream=True
                )
            for group in groups:
                yield from group.to_batches(**how)

    def _check_types(self, schema, features, pa):
        for name in features if self.weight is None else [*features, self.weight]:
            found = schema.field(name).type
            numeric = pa.types.is_integer(found) or pa.types.is_floating(found)
            if not (numeric or pa.types.is_boolean(found) or pa.types.is_decimal(found)):
                raise ValueError(
                    f"{self._name()}: column {name!r} has type {found}, not numbers. Leave it "
                    "out of features, or encode it."
                )

    @staticmethod
    def _numbers(batch, name):
        return batch.column(name).to_numpy(zero_copy_only=False).astype(float, copy=False)
