"""Names of columns that a source knows arrive in the model, as those of a DataFrame do."""

import sqlite3

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import dump_svmlight_file
from stream_cases import SIZE, N

from skgd import GDClassifier, GDRegressor
from skgd.streaming import (
    ArrayBatches,
    Batches,
    CSVBatches,
    ParquetBatches,
    Prefetch,
    SQLBatches,
    SVMLightBatches,
    fit_stream,
)

NAMES = list("abcd")
CLASSES = ["no", "yes"]

# scikit-learn warns where a model has names and rows have none, or the other way round.
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def csv(frame, tmp_path):
    """Return a function from options to batches of a CSV file."""
    path = tmp_path / "a.csv"
    frame.drop(columns="w").to_csv(path, index=False)
    options = {"target": "label", "batch_size": SIZE}
    return lambda **more: CSVBatches(path, **{**options, **more})


@pytest.fixture(params=["csv", "parquet", "sql", "ahead"])
def source(request, frame, tmp_path, csv):
    """Return a function from options to batches of a table, whatever reads it."""
    if request.param == "csv":
        return csv
    options = {"target": "label", "batch_size": SIZE}
    frame = frame.drop(columns="w")
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(tmp_path / "a.parquet")
        return lambda **more: ParquetBatches(tmp_path / "a.parquet", **options, **more)
    db = sqlite3.connect(tmp_path / "a.db")
    frame.to_sql("t", db, index=False)
    db.close()
    connect = lambda: sqlite3.connect(tmp_path / "a.db")  # noqa: E731
    answers = lambda **more: SQLBatches(connect, "SELECT * FROM t", **options, **more)  # noqa: E731
    return answers if request.param == "sql" else lambda **more: Prefetch(answers(**more))


def learnt(batches, est=None, **options):
    est = GDClassifier(random_state=0) if est is None else est
    return fit_stream(est, batches, classes=CLASSES, **options)


def test_a_model_has_the_names_of_the_source(source, frame, X):
    est = learnt(source(), epochs=2)
    assert est.feature_names_in_.tolist() == NAMES
    assert est.feature_names_in_.dtype == object
    assert est.n_features_in_ == 4
    # The same descent, down to the short calls of few rows, as without names.
    arrays = learnt(
        ArrayBatches(X, frame["label"].to_numpy().astype(str), batch_size=SIZE), epochs=2
    )
    assert_array_equal(est.coef_, arrays.coef_)
    assert_array_equal(est.predict(frame[NAMES]), arrays.predict(X))
    with pytest.raises(ValueError, match="must be in the same order"):
        est.score(frame[NAMES[::-1]], frame["label"])
    est.partial_fit(frame[NAMES], frame["label"])


def test_chosen_columns_keep_their_order(source, frame):
    est = learnt(source(features=["c", "a"]))
    assert est.feature_names_in_.tolist() == ["c", "a"]
    est.predict(frame[["c", "a"]])


def test_a_source_without_names_leaves_none(X, y, tmp_path):
    dump_svmlight_file(X, y, str(tmp_path / "a.svm"), zero_based=False)
    for batches in (
        ArrayBatches(X, y, batch_size=SIZE),
        SVMLightBatches(tmp_path / "a.svm", batch_size=SIZE),
        Prefetch(ArrayBatches(X, y)),
        [(X, y)],
    ):
        est = fit_stream(GDClassifier(), batches, classes=[0, 1])
        assert not hasattr(est, "feature_names_in_")
        est.predict(X)


def test_frames_in_a_list_keep_the_names_they_have(frame):
    est = learnt([(frame[NAMES], frame["label"])] * 2)
    assert est.feature_names_in_.tolist() == NAMES


def test_a_stream_goes_on_with_the_same_columns_only(csv, frame):
    est = learnt(csv())
    learnt(csv(), est)
    assert est.feature_names_in_.tolist() == NAMES
    before = est.coef_.copy()
    for features, message in (
        (list("bacd"), "Batch 1: column 0 of CSVBatches is 'b', where GDClassifier has learnt 'a'"),
        (list("abc"), "column 3 of CSVBatches is None, where GDClassifier has learnt 'd'"),
    ):
        with pytest.raises(ValueError, match=f"{message}.*features=list"):
            learnt(csv(features=features), est)
    assert_array_equal(est.coef_, before)
    assert est.feature_names_in_.tolist() == NAMES
    learnt(csv(features=list(est.feature_names_in_)), est)
    # As after a fit of a DataFrame.
    est = GDClassifier(random_state=0).fit(frame[NAMES], frame["label"])
    assert learnt(csv(), est).feature_names_in_.tolist() == NAMES


@pytest.mark.filterwarnings("default")
def test_a_model_of_arrays_stays_without_names_and_says_so_once(csv, frame, X):
    est = GDClassifier(random_state=0).partial_fit(X, frame["label"], classes=CLASSES)
    with pytest.warns(UserWarning, match="was fitted without feature names") as caught:
        learnt(csv(), est)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert not hasattr(est, "feature_names_in_")


def test_rows_held_out_may_have_names_or_none(csv, frame, X):
    seen = []
    keep = lambda event: seen.append(event.estimator.predict(frame[NAMES]))  # noqa: E731
    scores = [
        learnt(
            csv(), validation=(held, frame["label"]), validate_every=2, callback=keep, scoring=how
        ).history_["validation_score"]
        for held in (frame[NAMES], X)
        for how in ("loss", "accuracy")
    ]
    assert_array_equal(scores[0], scores[2])
    assert_array_equal(scores[1], scores[3])
    assert len(seen) == 4 * -(-N // SIZE)
    with pytest.raises(ValueError, match="must be in the same order"):
        learnt(csv(), validation=(frame[NAMES[::-1]], frame["label"]))


def test_a_batch_that_fails_leaves_the_names(csv, tmp_path):
    path = tmp_path / "bad.csv"
    text = "".join(f"{i}.5,{i % 3},{CLASSES[i % 2]}\n" for i in range(SIZE))
    path.write_text(f"a,b,label\n{text}1,2,perhaps\n", encoding="utf-8")
    est = GDClassifier(random_state=0)
    with pytest.raises(ValueError, match="Batch 2: y contains labels"):
        learnt(CSVBatches(path, target="label", batch_size=SIZE), est)
    assert est.feature_names_in_.tolist() == ["a", "b"]
    untouched = GDClassifier()
    with pytest.raises(ValueError, match="Batch 1"):
        fit_stream(untouched, csv(), classes=[0, 1])
    assert not hasattr(untouched, "feature_names_in_")


class Drawn(Batches):
    """A source of a user's, which names its columns."""

    feature_names = ("u", "v")

    def __init__(self, n_columns):
        super().__init__(SIZE)
        self.n_columns = n_columns

    def __iter__(self):
        X = np.random.default_rng(0).normal(size=(self.batch_size, self.n_columns))
        yield X, np.where(X[:, 0] > 0, "yes", "no")


def test_a_source_of_the_users_may_name_columns():
    assert learnt(Drawn(2)).feature_names_in_.tolist() == ["u", "v"]
    with pytest.raises(ValueError, match=r"Drawn has 2 feature_names, and X the shape \(20, 3\)"):
        learnt(Drawn(3))


def test_names_are_told_once_a_reading_has_begun(csv):
    batches = csv()
    assert batches.feature_names is None
    next(iter(batches))
    assert batches.feature_names == NAMES


def test_names_that_a_model_has_none_of_are_told_once(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,y\n" + "1,2,0\n3,5,1\n0,1,1\n" * 5)
    est = GDRegressor(random_state=0).partial_fit(np.ones((2, 2)), [0.0, 1.0])
    with pytest.warns(UserWarning, match="was fitted without feature names") as caught:
        fit_stream(est, CSVBatches(path, target="y", batch_size=5), epochs=3)
    assert len(caught) == 1


def test_names_that_are_no_strings_are_left_alone():
    class Numbered:
        feature_names = (0, 1)

        def __iter__(self):
            yield np.eye(2), np.array([0.0, 1.0])

    est = fit_stream(GDRegressor(random_state=0), Numbered())
    assert not hasattr(est, "feature_names_in_")
