"""Sources of batches yield what is there, and name what they cannot read."""

import bz2
import gzip
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import dump_svmlight_file
from stream_cases import SIZE, N

from skgd import GDClassifier
from skgd.streaming import (
    ArrayBatches,
    CSVBatches,
    ParquetBatches,
    Prefetch,
    SQLBatches,
    SVMLightBatches,
    fit_stream,
)

# ---- sources ----


def test_slices_of_dense_rows_are_views(X, y):
    for A, b in ArrayBatches(X, y, batch_size=50):
        assert np.shares_memory(A, X)
        assert np.shares_memory(b, y)


def joined(batches):
    parts = list(zip(*batches, strict=True))
    return [
        sp.vstack(part).toarray() if sp.issparse(part[0]) else np.concatenate(part)
        for part in parts
    ]


SOURCES = ["csv", "csv without pyarrow", "parquet", "sql"]


@pytest.fixture(params=SOURCES)
def source(request, frame, tmp_path, monkeypatch):
    """Return a function from options to batches of the frame."""
    kind = request.param
    if kind.startswith("csv"):
        frame.to_csv(tmp_path / "a.csv", index=False)
        if "without" in kind:
            monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
        return lambda **options: CSVBatches(tmp_path / "a.csv", batch_size=SIZE, **options)
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(tmp_path / "a.parquet", row_group_size=50)
        return lambda **options: ParquetBatches(tmp_path / "a.parquet", batch_size=SIZE, **options)
    with sqlite3.connect(tmp_path / "a.db") as db:
        frame.to_sql("t", db, index=False)
    db.close()
    connect = lambda: sqlite3.connect(tmp_path / "a.db")  # noqa: E731
    return lambda **options: SQLBatches(connect, "SELECT * FROM t", batch_size=SIZE, **options)


def test_a_source_yields_what_is_there(source, frame):
    batches = source(target="label", weight="w")
    for _ in range(2):
        X, y, w = joined(batches)
        assert_allclose(X, frame[list("abcd")], rtol=1e-15)
        assert_array_equal(y, frame["label"])
        assert_array_equal(w, frame["w"])
    assert max(len(y) for _, y, _ in batches) <= SIZE
    X, y = joined(source(target="w", features=["c", "a"], dtype=np.float32))
    assert X.dtype == np.float32
    assert_allclose(X, frame[["c", "a"]], rtol=1e-6)
    assert_array_equal(y, frame["w"])
    one = next(iter(batches))[0]
    assert one.flags.c_contiguous


def test_a_source_can_be_learnt_from(source, frame):
    est = fit_stream(
        GDClassifier(random_state=0),
        source(target="label", features=list("abcd")),
        classes=["no", "yes"],
        epochs=2,
    )
    assert est.score(frame[list("abcd")], frame["label"]) > 0.55


def test_a_column_that_is_not_there_is_named(source):
    with pytest.raises(ValueError, match="has no column 'z'; it has 'a', 'b', 'c', 'd', 'label'"):
        next(iter(source(target="z")))


@pytest.mark.parametrize("arrow", [True, False])
@pytest.mark.parametrize(
    "text, message",
    [
        ("a,y\n1,0\n2\n", r"a\.csv, line 3: 1 fields, where the header names 2"),
        ("a,y\n1,0\nx,1\n", r"a\.csv, line 3: column 'a' has 'x', which is no number"),
        (
            "a,y\n1,0\n2,1\n\n3,q\n",
            r"a\.csv, line 5: the target is 'q', where those before",
        ),
        ("", r"a\.csv is empty"),
        ("a,b\n1,0\n", r"a\.csv has no column 'y'"),
    ],
)
def test_the_line_of_a_bad_csv_file_is_named(text, message, arrow, tmp_path, monkeypatch):
    if arrow:
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        list(CSVBatches(tmp_path / "a.csv", target="y", batch_size=2))


def test_csv_dialects(tmp_path):
    (tmp_path / "a.csv").write_text('y;"one; two";b\n1.5;2;\n-1;3;nan\n')
    ((X, y),) = CSVBatches(tmp_path / "a.csv", target="y", delimiter=";")
    assert_array_equal(X, [[2, np.nan], [3, np.nan]])
    assert_array_equal(y, [1.5, -1])


def test_damaged_parquet_files_are_named(frame, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"a\.parquet cannot be read"):
        list(ParquetBatches(path, target="label"))
    frame.to_parquet(path)
    with pytest.raises(ValueError, match=r"column 'label' has type .*string, not numbers"):
        list(ParquetBatches(path, target="a"))


def test_data_sets_and_filters(frame, tmp_path):
    ds = pytest.importorskip("pyarrow.dataset")
    frame[:60].to_parquet(tmp_path / "0.parquet")
    frame[60:].to_parquet(tmp_path / "1.parquet")
    whole = ds.dataset(tmp_path)
    X, _ = joined(ParquetBatches(whole, target="label", features=["a"], filter=ds.field("w") > 1))
    assert_array_equal(X[:, 0], frame.loc[frame["w"] > 1, "a"])
    assert len(joined(ParquetBatches(tmp_path, target="label"))[1]) == N


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.dataset", None)
    with pytest.raises(ImportError, match=r"pip install 'skgd\[arrow\]'"):
        ParquetBatches("a", target="y")


@pytest.mark.parametrize("zero_based", [True, False])
@pytest.mark.parametrize("end, opened", [("", open), (".gz", gzip.open), (".bz2", bz2.open)])
def test_svmlight_files(X, y, tmp_path, zero_based, end, opened):
    plain, path = tmp_path / "plain", tmp_path / f"a{end}"
    dump_svmlight_file(X, y, str(plain), zero_based=zero_based)
    with opened(path, "wb") as file:
        file.write(plain.read_bytes())
    for n_features in (None, 6):
        batches = SVMLightBatches(
            path, n_features=n_features, zero_based=zero_based, batch_size=SIZE
        )
        A, b = joined(batches)
        assert A.shape == (N, n_features or 4)
        assert_allclose(A[:, :4], X, rtol=1e-15)
        assert_array_equal(b, y)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"1 1:2\n0 2:x\n", r"a, line 2: .*'0 2:x'"),
        (b"1 1:2\n0 9:1\n", r"a, line 2: .*'0 9:1'"),
    ],
)
def test_the_line_of_a_bad_svmlight_file_is_named(text, message, tmp_path):
    (tmp_path / "a").write_bytes(text)
    with pytest.raises(ValueError, match=message):
        list(SVMLightBatches(tmp_path / "a", n_features=3))


def test_a_truncated_archive_says_how_far_it_was_read(X, y, tmp_path):
    noise = np.random.RandomState(0).standard_normal((5000, 4))
    dump_svmlight_file(noise, np.resize(y, 5000), str(tmp_path / "plain"), zero_based=False)
    packed = gzip.compress((tmp_path / "plain").read_bytes())
    (tmp_path / "a.gz").write_bytes(packed[: len(packed) // 2])
    est = GDClassifier(random_state=0)
    with pytest.raises(ValueError, match=r"a\.gz: nothing can be read after line 2\d\d\d"):
        fit_stream(
            est, SVMLightBatches(tmp_path / "a.gz", n_features=4, batch_size=100), classes=[0, 1]
        )
    assert est.n_iter_ > 1


def test_values_that_are_no_numbers_are_named_in_answers(tmp_path):
    connect = lambda: sqlite3.connect(tmp_path / "a.db")  # noqa: E731
    with connect() as db:
        db.execute("CREATE TABLE t (a, y)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(1.0, 1), (2.0, 0), ("x", 1)])
    db.close()
    with pytest.raises(ValueError, match="Row 3 of the answer: column 'a' has 'x'"):
        list(SQLBatches(connect, "SELECT * FROM t", target="y", batch_size=2))
    batches = SQLBatches(connect, "SELECT * FROM t WHERE a < ?", (1.5,), target="y")
    assert [X.tolist() for X, _ in batches] == [[[1.0]]]


# ---- reading ahead ----


def test_batches_read_ahead_come_in_order_and_errors_where_they_arise():
    assert list(Prefetch(range(50), ahead=3)) == list(range(50))

    def broken():
        yield 1
        raise OSError("the disk is gone")

    got = iter(Prefetch(broken()))
    assert next(got) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(got)


def test_the_reader_ends_when_the_loop_is_left():
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    before = threading.active_count()
    for _ in range(3):
        for _ in Prefetch(endless()):
            break
    deadline = time.monotonic() + 5.0
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_no_more_than_asked_is_read_ahead():
    read = []

    def source():
        for k in range(100):
            read.append(k)
            yield k

    got = iter(Prefetch(source(), ahead=2))
    next(got)
    time.sleep(0.3)
    assert len(read) <= 5
    got.close()


GROWTH = """
import re, sys
import numpy as np
import pyarrow.csv, pyarrow.dataset
from skgd import GDRegressor
from skgd.streaming import CSVBatches, ParquetBatches, fit_stream

def highest():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024

before = highest()
source = CSVBatches if sys.argv[1].endswith("csv") else ParquetBatches
est = fit_stream(GDRegressor(), source(sys.argv[1], target="x0", batch_size=1000))
print(highest() - before, est.n_iter_)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(kind, tmp_path):
    pytest.importorskip("pyarrow")
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    noise = np.random.RandomState(0).standard_normal((50_000, 20))
    frame = pd.DataFrame(noise, columns=[f"x{j}" for j in range(20)])
    grown = []
    for times in (2, 16):
        path = tmp_path / f"{times}.{kind}"
        whole = pd.concat([frame] * times)
        if kind == "csv":
            whole.to_csv(path, index=False)
        else:
            whole.to_parquet(path, row_group_size=20_000, index=False)
        done = subprocess.run(
            [sys.executable, "-c", GROWTH, str(path)], capture_output=True, text=True, check=True
        )
        found, batches = map(float, done.stdout.split())
        assert batches == 50 * times
        grown.append(found)
    size = path.stat().st_size / 2**20
    assert grown[1] - grown[0] < 0.2 * size  # MB
