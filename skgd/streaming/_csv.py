"""CSV files in batches."""

import csv
import os

import numpy as np

from ._sources import Prefetch
from ._tables import Labels, TableBatches, as_target, is_number

__all__ = ["CSVBatches"]

_NULLS = frozenset(["", "nan", "NaN", "NA"])
_BLOCK = 2**20  # bytes that pyarrow parses at a time


class CSVBatches(TableBatches):
    """A CSV file with a header, in batches, never more than a few of them in memory.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    target : str
        Column of the targets: whole numbers, numbers or text. The first batch decides which.
    features : list of str, default=None
        Columns of X, all of numbers, in this order. None takes all but ``target`` and
        ``weight``. An empty field is NaN.
    weight : str, default=None
        Column of sample weights.
    batch_size : int, default=10000
        Rows of a batch. At least 1.
    delimiter : str, default=","
        What separates fields.
    dtype : dtype, default=float64
        Of X: float64 or float32.

    Raises
    ------
    ValueError
        While reading, if a column is missing, a row has too many or too few fields, or a field
        is no number: it names the file, the line and the reason.

    Notes
    -----
    With pyarrow (``pip install "skgd[arrow]"``) a file is parsed by compiled code, on threads;
    without, by the standard library, some ten times slower. Reading is on a thread ahead of the
    learner.

    Examples
    --------
    >>> import os, tempfile
    >>> from skgd.streaming import CSVBatches
    >>> path = os.path.join(tempfile.mkdtemp(), "small.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("a,b,label\\n1,2,no\\n3,,yes\\n")
    >>> for X, y in CSVBatches(path, target="label"):
    ...     print(X.tolist(), y.tolist())
    [[1.0, 2.0], [3.0, nan]] ['no', 'yes']
    """

    def __init__(
        self,
        path,
        *,
        target,
        features=None,
        weight=None,
        batch_size=10_000,
        delimiter=",",
        dtype=np.float64,
    ):
        super().__init__(target, features, weight, batch_size, dtype)
        self.path, self.delimiter = os.fspath(path), delimiter

    def __iter__(self):
        return iter(Prefetch(self._batches()))

    def _batches(self):
        with open(self.path, newline="", encoding="utf-8") as file:
            header = next(csv.reader(file, delimiter=self.delimiter), None)
        if not header:
            raise ValueError(f"{self.path} is empty: a CSV file begins with names of columns.")
        features = self._columns(header, self.path)
        text, row = None, 0
        for columns, labels, weights in self._tables(features):
            where = lambda i, row=row: self._line(row + i)  # noqa: E731
            y, text = as_target(labels, text, where)
            X = self._matrix(columns)
            row += len(y)
            yield (X, y) if weights is None else (X, y, weights)

    def _line(self, row):
        """Return the words for a row, counted from 0 below the header."""
        with open(self.path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file, delimiter=self.delimiter)
            for number, _ in enumerate(_full(reader), start=-1):
                if number == row:
                    return f"{self.path}, line {reader.line_num}"
        return self.path

    def _tables(self, features):
        """Yield lists of columns, labels, and weights or None."""
        try:
            import pyarrow
            import pyarrow.csv as arrow
        except ImportError:
            yield from self._plain(features)
        else:
            yield from self._by_arrow(features, arrow, pyarrow)

    def _by_arrow(self, features, arrow, pa):
        own = [] if self.weight is None else [self.weight]
        types = dict.fromkeys([*features, *own], pa.float64()) | {self.target: pa.string()}
        convert = arrow.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=sorted(_NULLS),
            strings_can_be_null=False,
        )
        try:
            reader = arrow.open_csv(
                self.path,
                read_options=arrow.ReadOptions(block_size=_BLOCK),
                parse_options=arrow.ParseOptions(delimiter=self.delimiter),
                convert_options=convert,
            )
            for table in _sized(reader, self.batch_size, pa):
                numbers = [table.column(name).to_numpy() for name in [*features, *own]]
                labels = _ArrowLabels(table.column(self.target))
                yield numbers[: len(features)], labels, numbers[-1] if own else None
        except pa.ArrowInvalid as error:
            for _ in self._plain(features):
                pass  # which finds the line, and raises
            raise ValueError(f"{self.path}: {error}") from error

    def _plain(self, features):
        with open(self.path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file, delimiter=self.delimiter)
            header = next(reader)
            places = [header.index(name) for name in features]
            own = None if self.weight is None else header.index(self.weight)
            label = header.index(self.target)
            rows, lines = [], []
            for fields in _full(reader):
                if len(fields) != len(header):
                    raise ValueError(
                        f"{self.path}, line {reader.line_num}: {len(fields)} fields, where the "
                        f"header names {len(header)}."
                    )
                rows.append(fields)
                lines.append(reader.line_num)
                if len(rows) == self.batch_size:
                    yield self._parsed(rows, lines, header, places, label, own)
                    rows, lines = [], []
            if rows:
                yield self._parsed(rows, lines, header, places, label, own)

    def _parsed(self, rows, lines, header, places, label, own):
        table = list(zip(*rows, strict=True))

        def numbers(j):
            try:
                return np.array([float(v) if v not in _NULLS else np.nan for v in table[j]])
            except ValueError:
                bad = lambda value: value not in _NULLS and not is_number(value)  # noqa: E731
                i = next(i for i, value in enumerate(table[j]) if bad(value))
                raise ValueError(
                    f"{self.path}, line {lines[i]}: column {header[j]!r} has {table[j][i]!r}, "
                    "which is no number."
                ) from None

        weights = None if own is None else numbers(own)
        return [numbers(j) for j in places], Labels(np.array(table[label])), weights


class _ArrowLabels(Labels):
    def numbers(self):
        import pyarrow as pa

        for one in (pa.int64(), pa.float64()):
            try:
                return self.values.cast(one).to_numpy()
            except pa.ArrowInvalid:
                continue
        return None

    def text(self):
        return self.values.to_numpy().astype(str)


def _full(reader):
    """Skip lines without a field, as other readers do."""
    return (fields for fields in reader if fields)


def _sized(batches, size, pa):
    """Yield tables of ``size`` rows from record batches of any length."""
    waiting, rows = [], 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < size:
            continue
        table = pa.Table.from_batches(waiting)
        for start in range(0, rows - size + 1, size):
            yield table.slice(start, size)
        rest = table.slice(rows - rows % size)
        waiting, rows = rest.to_batches(), rows % size
    if rows:
        yield pa.Table.from_batches(waiting)
