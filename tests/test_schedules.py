"""Schedules give the rates of their closed formulas, and scikit-learn's where it has them."""

import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier, SGDRegressor

from skgd._protocols import RateContext
from skgd.losses import LogLoss, OneVsRest, Softmax, SquaredError, resolve_loss
from skgd.schedules import (
    SCHEDULES,
    Adaptive,
    AutoDecay,
    Constant,
    Cosine,
    Exponential,
    InvScaling,
    Linear,
    OneCycle,
    Optimal,
    Schedule,
    Step,
    UserSchedule,
    get_schedule_names,
    resolve_schedule,
)

T, ETA0 = 40, 0.3


def context(**changed):
    """Return what an estimator tells a schedule."""
    told = {"eta0": ETA0, "horizon": T, "alpha": 0.01, "loss": LogLoss(), "power_t": 0.5}
    return RateContext(**{**told, **changed})


def curve(schedule, n_passes=T):
    """Return the rate of every pass, of one step each."""
    return np.array([schedule.rates(k, k, 1, context())[0] for k in range(n_passes)])


def reciprocal(step):
    """A user's schedule; at module level, so that it pickles."""
    return 1 / step


PASS = np.arange(T)
CLOSED = [
    (Constant(), np.full(T, ETA0)),
    (Adaptive(), np.full(T, ETA0)),
    (Linear(), ETA0 * (1 - PASS / T)),
    (Linear(end=0.5), ETA0 + (0.5 - ETA0) * PASS / T),
    (Step(), ETA0 * np.repeat([1, 0.5, 0.25, 0.125], 10)),
    (Step(every=20, factor=0.1), ETA0 * np.repeat([1, 0.1], 20)),
    (Exponential(), ETA0 * 0.95**PASS),
    (Exponential(decay=0.5), ETA0 * 0.5**PASS),
    (Cosine(), ETA0 * (1 + np.cos(np.pi * PASS / T)) / 2),
    (Cosine(end=0.1), 0.1 + (ETA0 - 0.1) * (1 + np.cos(np.pi * PASS / T)) / 2),
    (Cosine(restart_every=10), np.tile(ETA0 * (1 + np.cos(np.pi * np.arange(10) / 10)) / 2, 4)),
    (AutoDecay(), ETA0 / (1 + PASS) ** 0.75),
    (AutoDecay(power=1.0), ETA0 / (1 + PASS)),
    (AutoDecay(power=1.0, span=16), ETA0 / (1 + PASS // 2 * 2 / 16)),
    (UserSchedule(reciprocal), 1 / (1 + PASS)),
]


@pytest.mark.parametrize("schedule, expected", CLOSED, ids=lambda p: repr(p)[:30])
def test_rates_of_the_passes_are_those_of_the_formula(schedule, expected):
    assert_allclose(curve(schedule), expected, rtol=1e-13, atol=1e-17)


def test_one_cycle_rises_to_its_peak_and_falls_to_a_hundredth():
    rates = curve(OneCycle(peak=4.0), T + 1)
    assert rates[0] == pytest.approx(ETA0)
    assert rates[12] == pytest.approx(4 * ETA0)  # 30 % of 40
    assert rates[-1] == pytest.approx(ETA0 / 100)
    assert (np.diff(rates[:13]) > 0).all()
    assert (np.diff(rates[12:]) < 0).all()
    # Half way up and half way down, a half cosine is at its mean.
    assert rates[6] == pytest.approx((1 + 4) / 2 * ETA0)
    assert rates[26] == pytest.approx((4 + 0.01) / 2 * ETA0)


@pytest.mark.parametrize(
    "schedule", [Linear(0.2), Cosine(0.2), OneCycle()], ids=lambda s: type(s).__name__
)
def test_after_the_horizon_the_last_rate_stays(schedule):
    rates = curve(schedule, 3 * T)
    assert_array_equal(rates[T:], rates[T])
    if hasattr(schedule, "end"):
        assert rates[T] == pytest.approx(0.2)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "epsilon_insensitive"])
@pytest.mark.parametrize("alpha", [1e-4, 0.5, 30.0])
def test_optimal_moves_scikit_learns_sgd(loss, alpha):
    # With X = 0 only the intercept moves, by rate times slope.
    y = np.array([3.0, -1.0, 0.5, 10.0, 2.0, -4.0])
    theirs = SGDRegressor(
        loss, alpha=alpha, learning_rate="optimal", shuffle=False, max_iter=2, tol=None
    ).fit(np.zeros((6, 1)), y)
    mine = resolve_loss(loss, "regression", epsilon=0.1)
    b, told = 0.0, context(alpha=alpha, loss=mine)
    for k in range(2):
        for row, rate in zip(y, Optimal().rates(k, 6 * k, 6, told), strict=True):
            b -= rate * mine.slope_at(row, b)
    assert theirs.intercept_[0] == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize("loss", ["log_loss", "hinge", "modified_huber", "squared_hinge"])
def test_optimal_moves_scikit_learns_classifier(loss):
    y = np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    theirs = SGDClassifier(loss, alpha=1e-2, shuffle=False, max_iter=3, tol=None)
    theirs.fit(np.zeros((5, 1)), y)
    mine = resolve_loss(loss, "classification")
    b, told = 0.0, context(alpha=1e-2, loss=mine)
    for k in range(3):
        for row, rate in zip(y, Optimal().rates(k, 5 * k, 5, told), strict=True):
            b -= rate * mine.slope_at(row, b)
    assert theirs.intercept_[0] == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0])
def test_invscaling_moves_scikit_learns_sgd(power):
    y = np.array([3.0, -1.0, 0.5, 10.0])
    theirs = SGDRegressor(
        learning_rate="invscaling", eta0=0.2, power_t=power, shuffle=False, max_iter=3, tol=None
    ).fit(np.zeros((4, 1)), y)
    by_estimator = InvScaling().rates(0, 0, 12, context(eta0=0.2, power_t=power))
    by_itself = InvScaling(power_t=power).rates(0, 0, 12, context(eta0=0.2, power_t=7.0))
    assert_array_equal(by_estimator, by_itself)
    b = 0.0
    for row, rate in zip(np.tile(y, 3), by_itself, strict=True):
        b -= rate * SquaredError().slope_at(row, b)
    assert theirs.intercept_[0] == pytest.approx(b, rel=1e-12)


def test_optimal_does_not_depend_on_the_number_of_classes():
    expected = Optimal().rates(0, 0, 5, context())
    for loss in (Softmax(), OneVsRest(LogLoss())):
        assert_array_equal(Optimal().rates(0, 0, 5, context(loss=loss)), expected)


def test_optimal_starts_lower_where_the_slope_is_steep():
    class Steep(SquaredError):
        def gradient(self, y, eta, xp):
            return 50.0 + 0 * eta

    typical = 0.01**-0.25
    rates = Optimal().rates(0, 0, 1, context(loss=Steep()))
    assert rates[0] == pytest.approx(typical / 50)


@pytest.mark.parametrize("alpha", [0, 0.0, float("nan")])
def test_optimal_without_a_penalty_is_refused(alpha):
    with pytest.raises(ValueError, match=f"alpha, which must be positive; got {alpha}. Take"):
        Optimal().rates(0, 0, 1, context(alpha=alpha))


ALL = [cls() for cls in SCHEDULES.values()] + [UserSchedule(reciprocal), AutoDecay()]


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_rates_of_a_pass_are_float64_and_not_negative(schedule):
    for k, t in ((0, 0), (3, 21), (T, 7 * T), (10 * T, 70 * T)):
        rates = schedule.rates(k, t, 7, context())
        assert rates.shape == (7,)
        assert rates.dtype == np.float64
        assert (rates >= 0).all()
        assert np.isfinite(rates).all()


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_a_pass_in_two_calls_has_the_same_rates(schedule):
    # Pure in its arguments: the order of calls does not matter.
    whole = schedule.rates(2, 10, 6, context())
    later = schedule.rates(2, 13, 3, context())
    first = schedule.rates(2, 10, 3, context())
    assert_array_equal(np.concatenate([first, later]), whole)


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_warmup_rises_step_by_step_and_then_leaves_the_rates_alone(schedule):
    warm = clone(schedule).set_params(warmup=2.5)
    warm.check()
    for k in range(5):
        share = np.minimum(1, (4 * k + np.arange(1, 5)) / 10)  # 2.5 passes of 4 steps
        plain = schedule.rates(k, 4 * k, 4, context())
        assert_allclose(warm.rates(k, 4 * k, 4, context()), share * plain, rtol=1e-14)


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_schedules_clone_and_pickle(schedule):
    expected = schedule.rates(1, 5, 5, context())
    for copy in (clone(schedule), pickle.loads(pickle.dumps(schedule))):
        assert_array_equal(copy.rates(1, 5, 5, context()), expected)


def test_only_schedules_that_ignore_eta0_are_absolute():
    for schedule in ALL:
        same = schedule.rates(1, 5, 5, context()) == schedule.rates(1, 5, 5, context(eta0=9.0))
        assert same.all() == schedule.absolute


def test_a_new_schedule_needs_one_method_and_gets_the_warmup():
    class Sawtooth(Schedule):
        def base_rates(self, k, t, n_steps, context):
            return context.eta0 / (1 + np.arange(n_steps))

    made = resolve_schedule(Sawtooth(warmup=1))
    assert_allclose(made.rates(0, 0, 2, context()), [ETA0 / 2, ETA0 / 2])


# ---- names, functions and messages ----


def test_names_are_sorted_and_contain_auto():
    names = get_schedule_names()
    assert names == sorted(names)
    assert set(names) == {"auto", *SCHEDULES}


def test_names_resolve():
    assert resolve_schedule("auto") is None
    for name, cls in SCHEDULES.items():
        assert type(resolve_schedule(name)) is cls


def test_objects_are_cloned_and_functions_wrapped():
    mine = Cosine(end=0.01)
    made = resolve_schedule(mine)
    assert made is not mine
    assert made.end == 0.01
    wrapped = resolve_schedule(lambda step: 0.5 if step < 3 else np.float32(0.25))
    assert_array_equal(wrapped.rates(0, 0, 4, context()), [0.5, 0.5, 0.25, 0.25])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, None, "x", np.zeros(2)])
def test_a_function_that_gives_no_rate_is_named_with_its_step(bad):
    made = resolve_schedule(lambda step: 0.1 if step < 8 else bad)
    made.rates(0, 0, 7, context())
    with pytest.raises(ValueError, match=r"learning_rate returned .* at step 8; a rate must be"):
        made.rates(1, 5, 5, context())


@pytest.mark.parametrize(
    "spec, error, message",
    [
        ("cosin", ValueError, "Unknown learning_rate='cosin'. Known: 'cosine'"),
        ("automatic", ValueError, "'auto'"),
        (Cosine, TypeError, r"takes an instance; .* Write learning_rate=Cosine\(\)"),
        (0.1, TypeError, "learning_rate must be a name, a schedule or a function"),
        (None, TypeError, "learning_rate must be a name, a schedule or a function"),
        (LogLoss(), TypeError, "learning_rate must be a name, a schedule or a function"),
        (Constant(warmup=-1), ValueError, "warmup must be at least 0; got -1"),
        (InvScaling(power_t=-1.0), ValueError, "power_t must be at least 0; got -1.0"),
        (Adaptive(factor=1), ValueError, "factor must exceed 1; got 1"),
        (Adaptive(patience=2.5), TypeError, "patience must be an integer; got 2.5"),
        (Linear(end=-1.0), ValueError, "end must be at least 0; got -1.0"),
        (Step(every=0), ValueError, "every must be at least 1; got 0"),
        (Step(factor=2.0), ValueError, r"factor must be in \(0, 1\]; got 2.0"),
        (Exponential(decay=0.0), ValueError, r"decay must be in \(0, 1\]; got 0.0"),
        (Cosine(restart_every=0), ValueError, "restart_every must be at least 1; got 0"),
        (OneCycle(peak=0.5), ValueError, "peak must be at least 1; got 0.5"),
        (UserSchedule(3), TypeError, "function must be callable; got 3"),
        (AutoDecay(power=-1), ValueError, "power must be at least 0; got -1"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused(spec, error, message):
    with pytest.raises(error, match=message):
        resolve_schedule(spec)


def test_a_rate_of_our_own_cools_down_where_the_last_step_is_known():
    context = RateContext(2.0, 1000, 1e-4, None, 0.5)
    schedule = AutoDecay(power=0.0, last=200)
    rates = np.concatenate([schedule.rates(k, 20 * k, 20, context) for k in range(10)])
    assert (rates[:120] == 2.0).all()
    assert (np.diff(rates) <= 0).all()
    assert_allclose(rates[120:], 2.0 * (200 - np.arange(120, 200)) / 80, atol=2.0 / 32)
    assert 0.0 < rates[-1] <= 2.0 / 32
    assert AutoDecay(power=0.0).rates(9, 199, 1, context)[0] == 2.0


@pytest.mark.parametrize("span", [1, 7, 800, 12_345])
@pytest.mark.parametrize("last", [None, 20_000, 30_011])
def test_rates_of_many_steps_are_those_of_each(last, span):
    context, schedule = RateContext(2.0, 1000, 1e-4, None, 0.5), AutoDecay(span=span, last=last)
    each = np.concatenate([schedule.rates(0, t, 500, context) for t in range(0, 30_000, 500)])
    for t, n in ((0, 30_000), (3, 10_001), (11_999, 1001), (12_000, 18_000), (25_000, 5000)):
        assert_array_equal(schedule.rates(0, t, n, context), each[t : t + n])
