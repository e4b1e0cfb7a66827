"""Displays draw what was recorded, and say what is missing."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

import skgd
from skgd import GDClassifier, GDRegressor, GDRegressorCV
from skgd.schedules import Cosine, Step

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

from skgd.inspection import (  # noqa: E402
    DescentPathDisplay,
    LearningRateDisplay,
    LossCurveDisplay,
    RegularizationPathDisplay,
    ScheduleDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.fixture
def X(rows):
    return rows(80, 3)


@pytest.fixture
def y(X, target):
    return target(X, "regression")


@pytest.fixture
def labels(X, target):
    return target(X, "binary")


def words(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---- loss curves ----


def test_the_curve_is_that_of_the_fit(X, y):
    est = GDRegressor(solver="adam", max_iter=12, tol=None).fit(X, y)
    display = LossCurveDisplay.from_estimator(est)
    assert_array_equal(display.line_.get_xdata(), np.arange(1, 13))
    assert_array_equal(display.line_.get_ydata(), est.loss_curve_)
    assert display.ax_.get_xlabel() == "iteration"
    assert display.figure_ is display.ax_.figure
    ax = pyplot.figure().add_subplot()
    display = LossCurveDisplay.from_estimator(est, x="seconds", ax=ax, name="mine")
    assert display.ax_ is ax
    assert_array_equal(display.lines_["mine"].get_xdata(), est.history_["seconds"])


def test_several_curves_have_names_and_styles_of_their_own(X, y):
    several = {s: GDRegressor(solver=s, max_iter=5, tol=None).fit(X, y) for s in ("sgd", "adam")}
    display = LossCurveDisplay.from_estimators(several, optimum=0.1)
    assert words(display.ax_) == ["sgd", "adam", "optimum"]
    styles = {(line.get_color(), line.get_linestyle()) for line in display.lines_.values()}
    assert len(styles) == 2


def test_a_smoothed_line_lies_over_the_raw_one(X, y):
    est = GDRegressor(solver="sgd", max_iter=9, tol=None).fit(X, y)
    display = LossCurveDisplay.from_estimator(est, smoothing=0.5)
    value = est.loss_curve_
    weights = [0.5 ** np.arange(k + 1)[::-1] for k in range(9)]
    want = [np.average(value[: k + 1], weights=w) for k, w in enumerate(weights)]
    assert_allclose(display.line_.get_ydata(), want)
    assert any(np.array_equal(line.get_ydata(), value) for line in display.ax_.lines)


def test_the_gap_to_the_optimum_is_drawn_on_a_logarithmic_axis(X, y):
    est = GDRegressor(solver="gd", max_iter=4, tol=None).fit(X, y)
    best = GDRegressor(tol=1e-12).fit(X, y).loss_curve_[-1]
    display = LossCurveDisplay.from_estimator(est, optimum=best, gap=True)
    assert display.ax_.get_yscale() == "log"
    assert_allclose(display.line_.get_ydata(), est.loss_curve_ - best)


def test_validation_and_restarts_are_shown(X, y):
    est = GDRegressor(solver="gd", eta0=1e3, max_iter=20, tol=None)
    est.fit(X, y, X_val=X[:30], y_val=y[:30])
    assert len(est.restarts_)
    display = LossCurveDisplay.from_estimator(est, name="gd")
    assert words(display.ax_) == ["gd", "diverged, sent back", "gd: validation"]
    scores = display.validation_lines_["gd"].get_ydata()
    assert_array_equal(scores, est.history_["validation_score"])
    upright = [line.get_xdata()[0] for line in display.ax_.lines if len(set(line.get_xdata())) == 1]
    assert upright[: len(est.restarts_)] == est.restarts_.tolist()


def test_any_curve_that_diverged_is_told_in_the_legend(X, y):
    calm = GDRegressor(solver="gd", max_iter=4, tol=None).fit(X, y)
    wild = GDRegressor(solver="gd", eta0=1e3, max_iter=4, tol=None).fit(X, y)
    display = LossCurveDisplay.from_estimators({"calm": calm, "wild": wild, "again": wild})
    assert words(display.ax_) == ["calm", "wild", "diverged, sent back", "again"]


def test_iterations_are_whole_numbers(X, y):
    est = GDRegressor(solver="gd", tol=None, max_iter=4).fit(X, y)
    display = LossCurveDisplay.from_estimator(est)
    display.figure_.canvas.draw()
    ticks = display.ax_.get_xticks()
    assert_array_equal(ticks, np.rint(ticks))


@pytest.mark.parametrize(
    "draw, error, message",
    [
        (lambda e: LossCurveDisplay.from_estimator(GDRegressor()), NotFittedError, "fit"),
        (lambda e: LossCurveDisplay.from_estimator(3), TypeError, "est must be a GDCl"),
        (lambda e: LossCurveDisplay.from_estimator(e, x="hours"), ValueError, "got 'hours'"),
        (lambda e: LossCurveDisplay.from_estimator(e, smoothing=1.0), ValueError, "smoothing"),
        (lambda e: LossCurveDisplay.from_estimator(e, gap=True), ValueError, "pass optimum"),
        (lambda e: LossCurveDisplay.from_estimators([e]), ValueError, "must be a dict"),
        (lambda e: LossCurveDisplay.from_estimators({}), ValueError, "at least one"),
    ],
)
def test_loss_curves_say_what_is_wrong(X, y, draw, error, message):
    with pytest.raises(error, match=message):
        draw(GDRegressor().fit(X, y))


def test_an_estimator_without_history_says_what_to_call(X, y):
    est = GDRegressor().fit(X, y)
    est.loss_curve_ = np.empty(0)
    with pytest.raises(ValueError, match="Call fit first"):
        LossCurveDisplay.from_estimator(est)


# ---- rates ----


def test_rates_crawl_work_or_diverge(X, labels):
    est = GDClassifier(solver="gd", eta0=1.0)
    rates = np.logspace(-6, 6, 13)
    display = LearningRateDisplay.from_estimator(est, X, labels, rates=rates, passes=5)
    assert est.eta0 == 1.0
    assert_array_equal(display.crawls_ | display.works_ | display.diverged, True)
    assert display.crawls_[0]
    assert display.works_.any()
    # Steps of gradient descent diverge above twice the inverse of the curvature; this loss is
    # flat far away, so it takes more.
    assert display.diverged[-1]
    best = display.rates[np.argmin(np.where(display.diverged, np.inf, display.values))]
    one = GDClassifier(solver="gd", eta0=best, max_iter=5, tol=None).fit(X, labels)
    assert display.line_.get_ydata().min() == one.loss_curve_[-1]
    shown = [text.get_text() for text in display.ax_.texts]
    assert {"crawls", "works", "diverges"} <= set(shown)


def test_a_rate_that_ends_above_the_start_is_not_one_that_crawls(X, y):
    rates = np.logspace(-3, 3, 61)
    est = GDRegressor(solver="sgd", batch_size=1, random_state=0)
    display = LearningRateDisplay.from_estimator(est, X, y, rates=rates)
    assert not (display.values[~display.diverged] > display.start).any()
    first = np.flatnonzero(display.diverged)[0]
    assert display.works_[first - 1]  # nothing that crawls lies between


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "ftrl"])
def test_rates_begin_from_the_data(X, labels, solver, loss):
    est = GDClassifier(loss, solver=solver, random_state=0)
    small, large = (
        LearningRateDisplay.from_estimator(est, X * scale, labels) for scale in (1.0, 1e5)
    )
    for display in (small, large):
        assert display.works_.any()
        assert display.crawls_[0]
        assert not display.works_[-1]
        assert_allclose(display.rates[1:] / display.rates[:-1], 10**0.5)
    # Gradients are as many times larger; of rules whose moves are a rate long rows alone are.
    shift = 1e-5 if solver in ("adam", "ftrl") else 1e-10
    assert_allclose(large.rates / small.rates, shift, rtol=10.0)


def test_a_picture_in_which_no_rate_works_says_so(X, y):
    est = GDRegressor(solver="gd")
    with pytest.warns(UserWarning, match="No rate from 1e.03 to 1e.04 lowers F: all 2 .*lower"):
        display = LearningRateDisplay.from_estimator(est, X, y, rates=[1e3, 1e4])
    assert not display.works_.any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LearningRateDisplay.from_estimator(est, X, y, rates=[1e-3, 1e4])
        display = LearningRateDisplay.from_estimator(est, X, y, rates=[1e-300])
        assert display.crawls_.all()
        # F of this one can only rise from zero.
        LearningRateDisplay.from_estimator(GDClassifier("perceptron", solver="sgd"), X, y > 0)


def test_rows_beyond_squaring_have_a_picture_too(X, y):
    with pytest.warns(UserWarning, match="No rate from 1e-06 to 1e.06 lowers F"):
        LearningRateDisplay.from_estimator(GDRegressor(solver="gd"), X * 1e200, y)


@pytest.mark.parametrize("rates", [[0.0, 1.0], [[1.0]], [], [np.inf]])
def test_rates_must_be_positive(X, labels, rates):
    with pytest.raises(ValueError, match="rates must be a vector of positive numbers"):
        LearningRateDisplay.from_estimator(GDClassifier(solver="gd"), X, labels, rates=rates)
    with pytest.raises(ValueError, match="finds the length of each step by a line search"):
        LearningRateDisplay.from_estimator(GDClassifier(solver="newton"), X, labels)


# ---- paths of descents ----


def test_paths_lie_where_they_went():
    path = np.array([[2.0, 1.0], [1.0, -0.5], [0.5, 0.2]])
    one_at_a_time = lambda x: float(x[0] ** 2 + 20 * x[1] ** 2)  # noqa: E731
    at_once = lambda x: x[..., 0] ** 2 + 20 * x[..., 1] ** 2  # noqa: E731
    for fun in (one_at_a_time, at_once):
        display = DescentPathDisplay.from_function(fun, {"a": path, "b": path[:2]})
        assert_array_equal(display.lines_["a"].get_xydata(), path)
        gx, gy = np.meshgrid(*display.grid)
        assert_allclose(display.values, gx**2 + 20 * gy**2)
        assert words(display.ax_) == ["a", "b", "start"]
    assert display.ax_.get_xlim()[0] < 0.5
    display = DescentPathDisplay.from_function(at_once, path, xlim=(-1, 3), ylim=(-2, 2))
    assert display.ax_.get_xlim() == (-1, 3)


@pytest.mark.parametrize("variables", ["user", "scaled"])
def test_the_way_of_two_coefficients_over_f(X, labels, F, variables):
    X = X * [1.0, 5.0, 1.0]
    est = GDClassifier(solver="gd", eta0=0.05, max_iter=15, tol=None, alpha=0.1)
    display = DescentPathDisplay.from_estimator(est, X, labels, variables=variables)
    fitted = GDClassifier(**est.get_params()).fit(X, labels)
    scale = X.std(axis=0)[:2] if variables == "scaled" else 1.0
    track = display.line_.get_xydata()
    assert track.shape == (16, 2)
    assert_array_equal(track[0], 0.0)
    assert_allclose(track[-1], fitted.coef_[0, :2] * scale)
    # F on the grid, by a formula of its own.
    i, j = 10, 70
    W = fitted.coef_.copy()
    W[0, :2] = np.array([display.grid[0][j], display.grid[1][i]]) / scale
    sign = np.where(labels == 1, 1.0, -1.0)
    want = F(X, sign, W, fitted.intercept_, loss="log_loss", alpha=0.1)
    assert_allclose(display.values[i, j], want)
    assert not hasattr(est, "coef_")


def test_f_has_the_weights_of_the_classes(X, labels, F):
    est = GDClassifier(solver="gd", max_iter=5, tol=None, class_weight={0: 1.0, 1: 9.0}, alpha=0.1)
    display = DescentPathDisplay.from_estimator(est, X, labels)
    fitted = GDClassifier(**est.get_params()).fit(X, labels)
    W = fitted.coef_.copy()
    W[0, :2] = display.grid[0][3], display.grid[1][60]
    heavy = labels == 1
    s = np.where(heavy, 9.0, 1.0)
    sign = np.where(heavy, 1.0, -1.0)
    want = F(X, sign, W, fitted.intercept_, loss="log_loss", alpha=0.1, s=s)
    assert_allclose(display.values[60, 3], want)


def test_the_plane_of_the_path(X, y):
    several = {s: GDRegressor(solver=s, max_iter=9, tol=None) for s in ("gd", "agd")}
    display = DescentPathDisplay.from_estimator(several, X, y, features=None)
    assert list(display.lines_) == ["gd", "agd"]
    assert_allclose(display.lines_["gd"].get_xydata()[-1], 0.0, atol=1e-12)
    ends = [line.get_xydata()[-1] for line in display.lines_.values()]
    grid = np.stack(np.meshgrid(*display.grid), axis=-1)
    low = grid.reshape(-1, 2)[display.values.argmin()]
    assert np.abs(low - ends[1]).max() < 0.2 * np.ptp(display.grid[0])


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda X, y: DescentPathDisplay.from_function(sum, np.ones((3, 3))), r"shape \(n_points"),
        (lambda X, y: DescentPathDisplay.from_function(sum, {}), "paths is empty"),
        (lambda X, y: DescentPathDisplay.from_function(sum, np.ones((3, 2)), xlim=(1, 0)), "xlim"),
        (lambda X, y: DescentPathDisplay.from_estimator(GDRegressor(), X, y, features=(0, 3)),
         r"two different columns in \[0, 3\)"),
        (lambda X, y: DescentPathDisplay.from_estimator(GDRegressor(), X, y, features=(1, 1)),
         "two different columns"),
        (lambda X, y: DescentPathDisplay.from_estimator(GDRegressor(), X, np.c_[y, y]),
         "one output"),
        (lambda X, y: DescentPathDisplay.from_estimator(GDRegressor(), X, y, variables="own"),
         "got 'own'"),
    ],
)  # fmt: skip
def test_paths_say_what_is_wrong(X, y, draw, message):
    with pytest.raises(ValueError, match=message):
        draw(X, y)


# ---- schedules and paths of regularization ----


def test_schedules_are_drawn_as_they_are():
    display = ScheduleDisplay.from_schedule(Cosine(end=0.1), n_iter=20, eta0=2.0)
    want = 0.1 + (2.0 - 0.1) * (1 + np.cos(np.pi * np.arange(20) / 20)) / 2
    assert_allclose(display.line_.get_ydata(), want)
    several = {"step": Step(every=5), "own": lambda t: 1.0 / t, "by name": "invscaling"}
    display = ScheduleDisplay.from_schedule(several, n_iter=10, steps_per_pass=2)
    assert_allclose(display.lines_["own"].get_ydata(), 1.0 / np.arange(1, 21))
    assert_allclose(display.lines_["own"].get_xdata()[:3], [0.0, 0.5, 1.0])
    assert_allclose(display.lines_["by name"].get_ydata(), np.arange(1, 21) ** -0.5)
    assert display.plot(log=True).ax_.get_yscale() == "log"
    for options, message in (({"n_iter": 0}, "n_iter"), ({"eta0": -1.0}, "eta0")):
        with pytest.raises(ValueError, match=message):
            ScheduleDisplay.from_schedule("cosine", **options)


def test_coefficients_against_the_strength(X, y):
    path = skgd.regularization_path(GDRegressor(penalty="l1"), X, y, n_alphas=7)
    display = RegularizationPathDisplay.from_path(path, feature_names=["a", "b", "c"])
    for j, line in enumerate(display.lines_):
        assert_array_equal(line.get_ydata(), path.coefs[:, j])
    assert_array_equal(display.count_line_.get_ydata(), (path.coefs != 0).sum(axis=1))
    assert display.ax_.get_xscale() == "log"
    assert sorted(words(display.ax_)) == ["a", "b", "c"]
    chosen = GDRegressorCV(penalty="l1", cv=3).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(chosen, X, y)
    assert words(display.ax_)[-1] == f"chosen, {chosen.alpha_:.2g}"
    with pytest.raises(TypeError, match=r"skgd\.regularization_path"):
        RegularizationPathDisplay.from_path(chosen)
    with pytest.raises(ValueError, match=r"output must be in \[0, 1\)"):
        RegularizationPathDisplay.from_path(path, output=1)
    with pytest.raises(ValueError, match="feature_names has 1 entries, and there are 3"):
        RegularizationPathDisplay.from_path(path, feature_names=["a"])


# ---- the extra ----


def test_without_matplotlib_the_extra_is_named(X, y, monkeypatch):
    est = GDRegressor().fit(X, y)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    for draw in (
        lambda: LossCurveDisplay.from_estimator(est),
        lambda: LearningRateDisplay.from_estimator(est, X, y),
        lambda: ScheduleDisplay.from_schedule("cosine"),
    ):
        with pytest.raises(ImportError, match=r"pip install 'skgd\[plot\]'"):
            draw()


def test_importing_needs_no_matplotlib():
    code = "import sys, skgd, skgd.inspection; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
