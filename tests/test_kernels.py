"""The compiled kernels equal their NumPy twins on every layout, type and loss."""

import pickle

import numpy as np
import pytest
from kernel_cases import DTYPES, EMPTY, LAYOUTS, SEPARABLE, draw, make_rows, model, weights
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skgd import _kernels, losses, rules
from skgd._kernels import _pointwise, _reference, get_move, get_pointwise
from skgd._protocols import Rows

# -- elementary functions, losses, rules ------------------------------------------------


@pytest.mark.parametrize(
    "name, twin, x",
    [
        ("exp", np.exp, np.linspace(-745.0, 709.7, 200_001)),
        ("exp", np.exp, np.linspace(-1e-3, 1e-3, 10_001)),
        ("exp_neg", np.exp, np.linspace(-708.0, 0.0, 100_001)),
        ("expm1", np.expm1, -np.geomspace(1e-300, 700.0, 100_001)),
        ("log", np.log, np.geomspace(1e-323, 1.7e308, 200_001)),
        ("log", np.log, np.linspace(0.5, 2.0, 100_001)),
        ("log1p", np.log1p, np.geomspace(1e-320, 1.0, 100_001)),
        ("log1p", np.log1p, np.linspace(0.0, 1.0, 100_001)),
    ],
)
def test_vector_functions_are_within_two_units_in_the_last_place(name, twin, x):
    want = twin(x)
    error = np.abs(_pointwise.vector_math(name, x) - want) / np.spacing(np.abs(want))
    assert error.max() <= 2.0


def test_vector_functions_have_the_right_limits():
    x = np.array([np.inf, -np.inf, np.nan, 710.0, -800.0, 0.0])
    assert_array_equal(_pointwise.vector_math("exp", x), [np.inf, 0, np.nan, np.inf, 0, 1])
    x = np.array([np.inf, 0.0, -1.0, np.nan, 1.0])
    assert_array_equal(_pointwise.vector_math("log", x), [np.inf, -np.inf, np.nan, np.nan, 0])
    x = np.array([-np.inf, -0.0, np.nan])
    assert_array_equal(_pointwise.vector_math("exp_neg", x), [0, 1, np.nan])
    assert_array_equal(_pointwise.vector_math("expm1", x), [-1, 0, np.nan])


@pytest.mark.parametrize("name", SEPARABLE)
def test_compiled_losses_equal_the_classes(name):
    loss, rng = SEPARABLE[name], np.random.RandomState(0)
    y = draw(loss, 1001, 1, rng)
    eta = rng.uniform(-8, 8, size=1001)
    eta[:20] = y[:20]  # kinks and margins of exactly one
    value, slope = loss.pointwise().block(y[:, None], eta[:, None])
    assert_allclose(value[:, 0], loss.value(y, eta, np), rtol=1e-12, atol=1e-12)
    assert_allclose(slope[:, 0], loss.gradient(y, eta, np), rtol=1e-12, atol=1e-14)
    one = [loss.pointwise().slope(a, b) for a, b in zip(y, eta, strict=True)]
    assert_allclose(one, slope[:, 0], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("k", [2, 3, 40])
def test_compiled_softmax_equals_the_class(k):
    rng = np.random.RandomState(0)
    eta = rng.standard_normal((301, k)) * 5
    eta[0] = 1e3 * np.arange(k)
    y = rng.randint(k, size=301).astype(float)
    value, slope = get_pointwise("softmax").block(y[:, None], eta)
    assert_allclose(value[:, 0], losses.Softmax().value(y, eta, np), rtol=1e-12, atol=1e-13)
    assert_allclose(slope, losses.Softmax().gradient(y, eta, np), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", SEPARABLE)
def test_a_predictor_that_is_not_a_number_gives_a_value_that_is_none(name):
    value, _ = SEPARABLE[name].pointwise().block(np.ones((1, 1)), np.full((1, 1), np.nan))
    assert np.isnan(value).all()


@pytest.mark.parametrize("eta", [-1e4, 1e4])
def test_log_loss_does_not_overflow(eta):
    value, slope = get_pointwise("log_loss").block(np.ones((1, 1)), np.full((1, 1), eta))
    assert_allclose([value[0, 0], slope[0, 0]], [max(0.0, -eta), -1.0 if eta < 0 else 0.0])


@pytest.mark.parametrize("rule", [*(c() for c in rules.RULES.values()), rules.Momentum(0.8, True)])
def test_compiled_rules_equal_the_classes(rule):
    rng, move, n = np.random.RandomState(0), rule.compiled(), 37
    vectors, scalars = np.zeros((move.n_vectors, n)), np.zeros(4)
    vectors2, scalars2 = rule.init(np.zeros(n), np)
    assert (move.n_vectors, move.decoupled, move.adaptive) == (
        len(vectors2),
        rule.decoupled,
        rule.adaptive,
    )
    for t in range(1, 6):
        grad = rng.standard_normal(n)
        got, metric = move.update(grad, vectors, scalars, t)
        want, metric2 = rule.update(grad.copy(), vectors2, scalars2, t, np)
        assert_allclose(got, want, rtol=1e-12)
        assert_allclose(metric, np.ones(n) if metric2 is None else metric2, rtol=1e-12)
    assert_allclose(vectors, np.reshape(vectors2, vectors.shape), rtol=1e-12, atol=1e-15)
    assert_allclose(scalars, scalars2, rtol=1e-12)


@pytest.mark.parametrize(
    "made", [get_pointwise("huber", (0.5,)), get_move("adam", (0.9, 0.99, 1e-8))]
)
def test_compiled_parts_pickle_and_show_how_they_were_made(made):
    again = pickle.loads(pickle.dumps(made))
    assert repr(again) == repr(made)
    assert eval(repr(made)).name == made.name


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: get_pointwise("nope"), "No compiled loss is called 'nope'"),
        (lambda: get_pointwise("huber"), r"'huber' takes 1 parameters; got \(\)"),
        (lambda: get_pointwise("poisson", (1.0,)), "'poisson' takes 0"),
        (lambda: get_move("nope"), "No compiled rule is called 'nope'"),
        (lambda: get_move("adam", (0.9,)), "'adam' takes 3 numbers"),
    ],
)
def test_unknown_names_and_wrong_counts_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- full_pass ------------------------------------------------------------------------


def check_full_pass(loss, layout, dtype, k, n=211, n_features=7):
    rng = np.random.RandomState(k)
    y, s = draw(loss, n, k, rng), weights(n, rng)
    rows, X = make_rows(layout, dtype, y, s, rng, n_features, codes=loss.codes)
    coef, intercept = model(k, n_features, rng)
    grad = np.full(k * n_features + k, np.nan)
    value = _kernels.full_pass(rows, 0, n, coef, intercept, loss.pointwise(), grad)
    want, want_grad = _reference.full_pass(X, y, s, coef, intercept, loss)
    assert_allclose(value, want, rtol=1e-12)
    assert_allclose(grad, want_grad, rtol=1e-12, atol=1e-12 * np.abs(want_grad).max())
    assert _kernels.full_pass(rows, 0, n, coef, intercept, loss.pointwise()) == value
    parts = [
        _kernels.full_pass(rows, a, b, coef, intercept, loss.pointwise(), grad)
        for a, b in [(0, 50), (50, 51), (51, 51), (51, n)]
    ]
    assert_allclose(sum(parts), want, rtol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SEPARABLE)
def test_full_pass_equals_its_twin_for_every_loss(name, layout):
    check_full_pass(SEPARABLE[name], layout, np.float64, 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "loss, k",
    [
        (losses.LogLoss(), 1),
        (losses.SquaredError(), 3),
        (losses.Softmax(), 3),
        (losses.OneVsRest(losses.SquaredHinge()), 3),
    ],
)
def test_full_pass_equals_its_twin_for_every_output_layout_and_type(loss, k, dtype, layout):
    check_full_pass(loss, layout, dtype, k)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n_features", [1, 16, 33, 700])
def test_full_pass_equals_its_twin_for_every_width(n_features, layout):
    check_full_pass(losses.LogLoss(), layout, np.float32, 1, n=67, n_features=n_features)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_of_weight_zero_add_nothing_even_where_infinite(layout):
    rng = np.random.RandomState(0)
    y, s = np.ones(30), weights(30, rng)
    rows, X = make_rows(layout, np.float64, y, s, rng)
    y = np.where(s == 0, np.inf, 1.0)
    coef, intercept = model(1, 7, rng)
    grad = np.empty(8)
    value = _kernels.full_pass(
        rows._replace(y=y), 0, 30, coef, intercept, get_pointwise("squared_error"), grad
    )
    keep = s > 0
    want = _reference.full_pass(X[keep], y[keep], s[keep], coef, intercept, losses.SquaredError())
    assert_allclose(value, want[0], rtol=1e-13)
    assert_allclose(grad, want[1], rtol=1e-12)


# -- minibatch_block -------------------------------------------------------------------


def check_minibatch(loss, rule, layout="dense", dtype=np.float64, k=1, **options):
    rng, n, d = np.random.RandomState(1), 90, 7
    y, s = draw(loss, n, k, rng), weights(n, rng)
    rows, X = make_rows(layout, dtype, y, s, rng, d, codes=loss.codes)
    shift, inv_scale = options.pop("variables", (None, None))
    l1, factor = options.pop("l1", None), 0.8
    fit_intercept = options.pop("fit_intercept", True)
    clip_norm, clip_value = options.pop("clip", (np.inf, np.inf))
    average_from = options.pop("average_from", None)
    l2, theta = rng.uniform(0, 0.3, size=d), rng.standard_normal(k * d + k)
    order = rng.permutation(n)
    batches = [order[i : i + 16] for i in range(0, n, 16)]
    rates = rng.uniform(0.01, 0.1, size=len(batches))
    m = np.zeros(d) if shift is None else shift
    h = np.ones(d) if inv_scale is None else inv_scale

    def gradient(theta, batch):
        w = theta[: k * d].reshape(k, d) * h
        b = theta[k * d :] - w @ m
        _, sums = _reference.full_pass(X[batch], y[batch], factor * s[batch], w, b, loss)
        dw, db = sums[: k * d].reshape(k, d), sums[k * d :] * fit_intercept
        return np.r_[((dw - np.outer(db, m)) * h).ravel(), db] / len(batch)

    def prox(theta, step):
        u = theta[: k * d].reshape(k, d)
        step = np.broadcast_to(step, theta.shape)[: k * d].reshape(k, d)
        u[:] = np.sign(u) * np.maximum(np.abs(u) - step * l1, 0)
        return theta

    move, got = rule.compiled(), theta.copy()
    vectors, scalars = np.zeros((move.n_vectors, len(theta))), np.zeros(4)
    mean = None if average_from is None else np.zeros_like(theta)
    counted = _kernels.minibatch_block(
        rows,
        order,
        16,
        got,
        vectors,
        scalars,
        3,
        rates,
        l2,
        l1,
        shift,
        inv_scale,
        factor,
        fit_intercept,
        clip_norm,
        clip_value,
        loss.pointwise(),
        move,
        mean,
        average_from or 1,
    )
    memory = rule.init(theta, np)
    mean2 = None if mean is None else np.zeros_like(theta)
    counted2 = _reference.minibatch_block(
        gradient,
        rule,
        theta,
        *memory,
        3,
        batches,
        rates,
        np.tile(l2, k),
        None if l1 is None else prox,
        k * d,
        clip_norm,
        clip_value,
        mean2,
        average_from or 1,
    )
    assert counted == counted2
    assert_allclose(got, theta, rtol=1e-11, atol=1e-12)
    assert_allclose(vectors, np.reshape(memory[0], vectors.shape), rtol=1e-10, atol=1e-12)
    if mean is not None:
        assert_allclose(mean, mean2, rtol=1e-11, atol=1e-12)
    return got


@pytest.mark.parametrize("l1", [None, np.linspace(0, 0.5, 7)])
@pytest.mark.parametrize("rule", rules.RULES.values())
def test_minibatch_block_equals_its_twin_for_every_rule(rule, l1):
    theta = check_minibatch(losses.LogLoss(), rule(), l1=l1, average_from=6)
    assert l1 is None or np.isfinite(theta).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "loss, k",
    [
        (losses.Huber(0.5), 1),
        (losses.SquaredError(), 3),
        (losses.Softmax(), 3),
        (losses.OneVsRest(losses.LogLoss()), 3),
    ],
)
def test_minibatch_block_equals_its_twin_for_every_layout(loss, k, dtype, layout):
    check_minibatch(loss, rules.Adam(), layout, dtype, k, l1=np.full(7, 0.1))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("k", [1, 3])
def test_minibatch_block_works_in_centred_and_scaled_variables(layout, k):
    rng = np.random.RandomState(5)
    variables = rng.standard_normal(7), rng.uniform(0.2, 3.0, size=7)
    check_minibatch(losses.SquaredError(), rules.SGD(), layout, k=k, variables=variables)
    check_minibatch(
        losses.SquaredError(),
        rules.AdaGrad(),
        layout,
        k=k,
        variables=(None, variables[1]),
        fit_intercept=False,
    )


@pytest.mark.parametrize("clip", [(0.1, np.inf), (np.inf, 0.05), (0.1, 0.05)])
def test_minibatch_block_clips_entries_first_and_then_the_norm(clip):
    check_minibatch(losses.SquaredError(), rules.SGD(), clip=clip)


def test_minibatch_block_leaves_the_intercept_where_none_is_wanted():
    theta = check_minibatch(losses.LogLoss(), rules.Adam(), fit_intercept=False)
    rng = np.random.RandomState(1)  # the same draws, up to the intercept
    draw(losses.LogLoss(), 90, 1, rng), weights(90, rng)
    make_rows("dense", np.float64, np.ones(90), np.ones(90), rng)
    rng.uniform(0, 0.3, size=7)
    assert theta[-1] == rng.standard_normal(8)[-1]


# -- moments --------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_column_moments_equal_their_twin(layout, dtype):
    rng = np.random.RandomState(0)
    s = weights(1000, rng)
    rows, X = make_rows(layout, dtype, np.ones(1000), s, rng)
    moments = _kernels.column_moments(rows, np.zeros(7))
    for got, want in zip(moments, _reference.column_moments(X, s), strict=True):
        assert_allclose(got, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("layout", ["dense", "csr32"])
@pytest.mark.parametrize("shift", [0.0, 1e9])
def test_variances_survive_a_mean_far_larger_than_the_deviation(layout, shift):
    rng = np.random.RandomState(0)
    X = np.c_[1e9 + rng.standard_normal(5000), np.full(5000, 0.1), np.zeros(5000)]
    s = np.ones(5000)
    c = sparse.csr_matrix(X)
    rows = Rows(True, X.ravel(), EMPTY, EMPTY, 3, s, False, s)
    if layout != "dense":
        rows = Rows(False, c.data, c.indices, c.indptr, 3, s, False, s)
    mean, var, low, high = _kernels.column_moments(rows, np.full(3, shift))
    assert_allclose(mean, X.mean(axis=0), rtol=1e-12)
    assert_allclose(var[0], X[:, 0].var(), rtol=1e-9)
    assert_array_equal(var[1:], [0.0, 0.0])
    assert_array_equal([low, high], [X.min(axis=0), X.max(axis=0)])


def test_moments_without_weight_are_zero():
    rows = Rows(True, np.ones(6), EMPTY, EMPTY, 2, np.ones(3), False, np.zeros(3))
    assert_array_equal(_kernels.column_moments(rows, np.zeros(2)), np.zeros((4, 2)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_row_norms_equal_their_twin(layout, dtype, shifted, scaled):
    rng = np.random.RandomState(0)
    rows, X = make_rows(layout, dtype, np.ones(40), np.ones(40), rng)
    m = rng.standard_normal(7) if shifted else None
    h = rng.uniform(0.1, 2, size=7) if scaled else None
    want = _reference.row_norms(X, 0.0 if m is None else m, 1.0 if h is None else h)
    assert_allclose(_kernels.row_norms(rows, m, h), want, rtol=1e-12, atol=1e-13)


# -- arguments ------------------------------------------------------------------------


def test_shapes_that_disagree_are_refused():
    rng = np.random.RandomState(0)
    rows, _ = make_rows("dense", np.float64, np.ones(10), np.ones(10), rng)
    loss, coef, b = get_pointwise("log_loss"), np.zeros((1, 7)), np.zeros(1)
    with pytest.raises(ValueError, match="a row of coef must have 7 entries; got 6"):
        _kernels.full_pass(rows, 0, 10, np.zeros((1, 6)), b, loss)
    with pytest.raises(ValueError, match="rows 0:11 are not within 0:10"):
        _kernels.full_pass(rows, 0, 11, coef, b, loss)
    with pytest.raises(ValueError, match="grad must have 8 entries; got 7"):
        _kernels.full_pass(rows, 0, 10, coef, b, loss, np.zeros(7))
    with pytest.raises(ValueError, match="data must have 70 entries; got 69"):
        _kernels.full_pass(rows._replace(data=np.zeros(69)), 0, 10, coef, b, loss)
    with pytest.raises(ValueError, match="y must have 2 columns; got 1"):
        _kernels.full_pass(rows, 0, 10, np.zeros((2, 7)), np.zeros(2), loss)
    with pytest.raises(ValueError, match=r"order must hold row numbers in \[0, 10\)"):
        _kernels.sgd_block(rows, np.array([10]), np.ones(1), coef, b, 0, 0, 1, True, loss)
    with pytest.raises(ValueError, match="shift must be None without an intercept"):
        _kernels.sgd_block(
            rows,
            np.array([0]),
            np.ones(1),
            coef,
            b,
            0,
            0,
            1,
            False,
            loss,
            metric=(np.ones(7),) * 4,
        )


def test_csr_rows_that_end_beyond_their_values_are_refused():
    rng = np.random.RandomState(0)
    rows, _ = make_rows("csr32", np.float64, np.ones(10), np.ones(10), rng)
    with pytest.raises(ValueError, match="beyond the stored values"):
        _kernels.row_norms(rows._replace(data=rows.data[:-1]))
    with pytest.raises(ValueError, match="indptr must have 11 entries"):
        _kernels.row_norms(rows._replace(indptr=rows.indptr[:-1]))
    with pytest.raises(ValueError, match="the same type"):
        _kernels.row_norms(rows._replace(indptr=rows.indptr.astype(np.int64)))
