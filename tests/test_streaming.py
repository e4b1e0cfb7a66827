"""Streams: what is learnt is what partial_fit learns, whatever the batches come from."""

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
from sklearn.metrics import log_loss, mean_squared_error

from skgd import GDClassifier, GDRegressor
from skgd.streaming import (
    ArrayBatches,
    CSVBatches,
    ParquetBatches,
    Prefetch,
    SQLBatches,
    SVMLightBatches,
    fit_stream,
)

N, SIZE = 105, 20


@pytest.fixture
def X(rows):
    return rows(N, 4)


@pytest.fixture
def y(X, target):
    return target(X, "binary")


@pytest.fixture
def frame(X, y):
    f = pd.DataFrame(X, columns=list("abcd"))
    return f.assign(label=np.where(y > 0, "yes", "no"), w=np.arange(N) % 3 + 0.5)


def by_hand(est, X, y, classes=None, s=None, size=SIZE):
    """Learn from slices by a plain loop; return the estimator and what it predicted before."""
    ahead = []
    for i in range(0, len(y), size):
        part = slice(i, i + size)
        if i and classes is not None:
            p = est.predict_proba(X[part])
            ahead.append(log_loss(y[part], p, labels=classes))
        more = {} if classes is None else {"classes": classes}
        est.partial_fit(X[part], y[part], sample_weight=None if s is None else s[part], **more)
    return est, ahead


# ---- the loop ----


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("solver", ["auto", "sgd", "adam"])
def test_a_stream_is_a_loop_over_partial_fit(X, y, solver, storage):
    A = storage(X)
    make = lambda: GDClassifier(solver=solver, random_state=0)  # noqa: E731
    plain, ahead = by_hand(make(), A, y, [0, 1])
    est = fit_stream(make(), ArrayBatches(A, y, batch_size=SIZE), classes=[0, 1])
    assert_array_equal(est.coef_, plain.coef_)
    assert_array_equal(est.intercept_, plain.intercept_)
    assert np.isnan(est.history_["progressive"][0])
    assert_allclose(est.history_["progressive"][1:], ahead, rtol=1e-9)
    assert est.history_["rows"].tolist() == [20, 40, 60, 80, 100, 105]
    assert est.n_iter_ == 6
    assert {len(values) for values in est.history_.values()} == {6}
    assert_array_equal(est.loss_curve_, est.history_["value"])
    # It goes on: nothing of the stream is lost.
    plain.partial_fit(A[:30], y[:30])
    assert_array_equal(est.partial_fit(A[:30], y[:30]).coef_, plain.coef_)


def test_weights_targets_and_epochs(X, target):
    Y, s = target(X, "targets"), np.linspace(0.0, 2.0, N)
    make = lambda: GDRegressor(solver="sgd", random_state=0)  # noqa: E731
    plain, _ = by_hand(make(), X, Y, s=s)
    plain, _ = by_hand(plain, X, Y, s=s)
    est = fit_stream(make(), ArrayBatches(X, Y, s, batch_size=SIZE), epochs=2)
    assert_array_equal(est.coef_, plain.coef_)
    assert est.n_iter_ == 12
    few = fit_stream(make(), [(X, Y, s), (X[:10], Y[:10], s[:10])])
    want = (
        mean_squared_error(
            Y[:10],
            by_hand(make(), X, Y, s=s, size=N)[0].predict(X[:10]),
            sample_weight=s[:10],
            multioutput="raw_values",
        ).sum()
        / 2
    )
    assert_allclose(few.history_["progressive"][1], want)


def test_the_best_model_on_rows_held_out_is_restored(X, y):
    held = X[:40], y[:40]
    models, scores = [], [3.0, 1.0, 5.0, 4.0, 4.5, 4.9]

    def scorer(est, X, y):
        models.append(est.coef_.copy())
        return scores[len(models) - 1]

    est = GDClassifier(random_state=0)
    fit_stream(
        est,
        ArrayBatches(X, y, batch_size=10),
        classes=[0, 1],
        validation=held,
        validate_every=1,
        scoring=scorer,
        patience=3,
    )
    assert est.n_iter_ == 6
    assert (est.stop_reason_, est.converged_) == ("early_stopping", True)
    assert_array_equal(est.history_["validation_score"], scores)
    assert_array_equal(est.coef_, models[2])
    est.partial_fit(X, y)  # goes on from what was restored


def test_the_loss_on_rows_held_out_is_the_default(X, y):
    est = GDClassifier(random_state=0)
    fit_stream(
        est,
        ArrayBatches(X, y, batch_size=SIZE),
        classes=[0, 1],
        epochs=3,
        validation=(X[:30], y[:30]),
    )
    scores = est.history_["validation_score"]
    assert np.isfinite(scores).tolist() == ([False] * 5 + [True]) * 3
    assert np.nanmax(scores) == pytest.approx(-log_loss(y[:30], est.predict_proba(X[:30])))


def test_a_callback_sees_each_batch_and_may_stop(X, y, capsys):
    seen = []
    est = GDClassifier(random_state=0, verbose=1)
    fit_stream(
        est,
        ArrayBatches(X, y, batch_size=SIZE),
        classes=[0, 1],
        epochs=2,
        callback=lambda e: seen.append((e.batch, e.epoch, e.rows)) or e.batch == 8,
    )
    assert seen[0] == (1, 1, 20)
    assert seen[-1] == (8, 2, 145)
    assert est.stop_reason_ == "callback"
    assert "batch     1  rows        20" in capsys.readouterr().out


def test_an_interrupt_leaves_the_last_whole_batch(X, y):
    def batches():
        yield X[:50], y[:50]
        raise KeyboardInterrupt

    est = GDClassifier(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        fit_stream(est, batches(), classes=[0, 1])
    plain = GDClassifier(random_state=0).partial_fit(X[:50], y[:50], classes=[0, 1])
    assert_array_equal(est.coef_, plain.coef_)
    assert est.n_iter_ == 1


@pytest.mark.parametrize(
    "batch, message",
    [
        (lambda X, y: (X[:, :3], y), "Batch 2: X has 3 features"),
        (lambda X, y: (X, y + 5), "Batch 2: .*not in classes|Batch 2: "),
        (lambda X, y: (X * np.nan, y), "Batch 2: Input X contains NaN"),
        (lambda X, y: (X, y[:-1]), "Batch 2: .*inconsistent numbers of samples"),
        (lambda X, y: X, r"Batch 2 must be \(X, y\).*got ndarray of length 105"),
        (lambda X, y: (X, y, y - 9.0), "Batch 2: .*[Nn]egative"),
    ],
)
def test_a_bad_batch_is_named_and_loses_nothing(X, y, batch, message):
    est = GDClassifier(random_state=0)
    with pytest.raises((ValueError, TypeError), match=message):
        fit_stream(est, [(X, y), batch(X, y)], classes=[0, 1])
    plain = GDClassifier(random_state=0).partial_fit(X, y, classes=[0, 1])
    assert_array_equal(est.coef_, plain.coef_)
    assert est.n_iter_ == 1


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda X, y: fit_stream(GDClassifier(), []), "classes must be given"),
        (lambda X, y: fit_stream(GDRegressor(), []), "list yielded no batch"),
        (lambda X, y: fit_stream(GDRegressor(), iter([(X, y)]), epochs=2), "can be read again"),
        (lambda X, y: fit_stream(GDRegressor(), [], epochs=0), "epochs must be at least 1"),
        (
            lambda X, y: fit_stream(GDRegressor(), [(X, y)], validation=(X, y), scoring="nope"),
            "scoring",
        ),
        (lambda X, y: fit_stream(GDRegressor(), [], validation=X), r"validation must be \(X, y\)"),
        (lambda X, y: fit_stream(GDRegressor(solver="newton"), [(X, y)]), "needs all rows"),
        (lambda X, y: ArrayBatches(X, y[:3]), r"different lengths: \[105, 3\]"),
        (lambda X, y: ArrayBatches(X, y, batch_size=0), "batch_size must be at least 1"),
        (lambda X, y: Prefetch([], ahead=0), "ahead must be at least 1"),
        (lambda X, y: SQLBatches("a.db", "", target="y"), "connect must be a function"),
        (lambda X, y: CSVBatches("a", target="y", dtype=int), "dtype must be float64 or float32"),
    ],
)
def test_what_cannot_work_is_told_before_any_work(X, y, call, message):
    with pytest.raises((ValueError, TypeError, AttributeError), match=message):
        call(X, y)


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
    assert est.score(frame[list("abcd")].to_numpy(), frame["label"]) > 0.55


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
