"""Answers of a database in batches."""

import numpy as np

from ._tables import Labels, TableBatches, as_target

__all__ = ["SQLBatches"]


class SQLBatches(TableBatches):
    """The rows that a query gives, in batches.

    Parameters
    ----------
    connect : callable
        Returns a new DB-API connection: one is opened for each reading, and closed after it.
    query : str
        A SELECT statement. Give it an ORDER BY where the order matters.
    params : sequence or mapping, default=()
        Values for the placeholders in the query.
    target : str
        Column of the targets, of numbers or text.
    features : list of str, default=None
        Columns of X, all of numbers, in this order. None takes all but ``target`` and
        ``weight``. NULL is NaN.
    weight : str, default=None
        Column of sample weights.
    batch_size : int, default=10000
        Rows of a batch. At least 1.
    dtype : dtype, default=float64
        Of X: float64 or float32.

    Raises
    ------
    ValueError
        While reading, if a column is missing or a value is no number: it names the row.

    Examples
    --------
    >>> import os, sqlite3, tempfile
    >>> from skgd.streaming import SQLBatches
    >>> path = os.path.join(tempfile.mkdtemp(), "small.db")
    >>> with sqlite3.connect(path) as db:
    ...     _ = db.execute("CREATE TABLE t (a REAL, b REAL, y TEXT)")
    ...     _ = db.executemany("INSERT INTO t VALUES (?, ?, ?)", [(1, 2, "no"), (3, None, "yes")])
    >>> batches = SQLBatches(lambda: sqlite3.connect(path), "SELECT * FROM t", target="y")
    >>> for X, y in batches:
    ...     print(X.tolist(), y.tolist())
    [[1.0, 2.0], [3.0, nan]] ['no', 'yes']
    """

    def __init__(
        self,
        connect,
        query,
        params=(),
        *,
        target,
        features=None,
        weight=None,
        batch_size=10_000,
        dtype=np.float64,
    ):
        super().__init__(target, features, weight, batch_size, dtype)
        if not callable(connect):
            raise TypeError(
                "connect must be a function that opens a connection, since each reading needs a "
                f"fresh one; got {connect!r}. Write lambda: sqlite3.connect(path), for one."
            )
        self.connect, self.query, self.params = connect, query, params

    def __iter__(self):
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(self.query, self.params)
            names = [entry[0] for entry in cursor.description or ()]
            features = self._columns(names, "The answer to the query")
            place = {name: names.index(name) for name in (*features, self.target)}
            text, row = None, 0
            while rows := cursor.fetchmany(self.batch_size):
                table = list(zip(*rows, strict=True))
                where = lambda i, row=row: f"Row {row + i + 1} of the answer"  # noqa: E731
                y = Labels(np.array(table[place[self.target]]))
                y, text = as_target(y, text, where)
                X = self._matrix([self._numbers(table, names, n, row) for n in features])
                weights = ()
                if self.weight is not None:
                    weights = (self._numbers(table, names, self.weight, row),)
                row += len(rows)
                yield X, y, *weights
        finally:
            connection.close()

    @staticmethod
    def _numbers(table, names, name, row):
        values = table[names.index(name)]
        try:
            # None becomes NaN.
            return np.array(values, dtype=float)
        except (TypeError, ValueError):
            for i, value in enumerate(values):
                try:
                    np.array(value, dtype=float)
                except (TypeError, ValueError):
                    raise ValueError(
                        f"Row {row + i + 1} of the answer: column {name!r} has {value!r}, which is "
                        "no number."
                    ) from None
            raise
