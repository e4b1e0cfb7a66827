"""A parameter out of its range is named before any work, and leaves the model as it was."""

import pickle

import numpy as np
import pytest

from skgd import GDClassifier, GDRegressor
from skgd.losses import Hinge
from skgd.penalties import L1, ElasticNet
from skgd.schedules import Cosine, Step
from skgd.solvers import Adam, Momentum


@pytest.fixture
def X(rows):
    return rows(40, 4)


@pytest.fixture
def y(X, target):
    return target(X, "regression")


@pytest.fixture
def est(X, target):
    return GDClassifier().fit(X, target(X, "binary"))


def assert_refused(est, X, y, match, error=ValueError):
    """Fitting raises, and what was learnt has not changed."""
    before = pickle.dumps({k: v for k, v in vars(est).items() if k.endswith("_")})
    with pytest.raises(error, match=match):
        est.fit(X, y)
    assert pickle.dumps({k: v for k, v in vars(est).items() if k.endswith("_")}) == before


WRONG = [
    ({"loss": "log_los"}, "Unknown loss='log_los'. Known: 'log_loss'"),
    ({"loss": "poisson"}, "loss='poisson' is not a loss for classification. Known: "),
    ({"penalty": "elastic"}, "Unknown penalty='elastic'. Known: 'elasticnet'"),
    ({"solver": "adm"}, "Unknown solver='adm'. Known: 'adam'"),
    ({"solver": "liblinear"}, "Unknown solver='liblinear'. Known: "),
    ({"learning_rate": "cosin"}, "Unknown learning_rate='cosin'. Known: 'cosine'"),
    ({"scoring": "accuraccy"}, "accuraccy"),
    ({"alpha": -1e-3}, r"alpha must be in \[0, inf\); got -0.001"),
    ({"alpha": np.nan}, r"alpha must be in \[0, inf\); got nan"),
    ({"alpha": np.inf}, r"alpha must be in \[0, inf\); got inf"),
    ({"l1_ratio": 1.01}, r"l1_ratio must be in \[0, 1\]; got 1.01"),
    ({"tol": -1.0}, r"tol must be in \[0, inf\]; got -1.0"),
    ({"eta0": 0.0}, r"eta0 must be in \(0, inf\); got 0.0"),
    ({"eta0": np.inf}, r"eta0 must be in \(0, inf\); got inf"),
    ({"eta0": "fast"}, "eta0 must be 'auto' or a positive number; got 'fast'"),
    ({"power_t": np.inf}, r"power_t must be in"),
    ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
    ({"batch_size": "all"}, "batch_size must be 'auto' or a positive integer; got 'all'"),
    ({"clip_norm": 0.0}, r"clip_norm must be in \(0, inf\]; got 0.0"),
    ({"clip_value": -1.0}, r"clip_value must be in \(0, inf\]; got -1.0"),
    ({"max_iter": 0}, "max_iter must be at least 1; got 0"),
    ({"n_iter_no_change": 0}, "n_iter_no_change must be at least 1; got 0"),
    ({"validation_fraction": 0.0}, r"validation_fraction must be in \(0, 1\); got 0.0"),
    ({"epsilon": -0.1}, r"epsilon must be in \[0, inf\); got -0.1"),
    ({"average": -3}, "average must not be negative; got -3"),
    ({"n_jobs": 0}, "n_jobs=0 has no meaning"),
    ({"solver": Adam(beta_1=1.0)}, r"beta_1 must be in \[0.*1.*\); got 1.0"),
    ({"solver": Momentum(momentum=-0.1)}, r"momentum must be in .*; got -0.1"),
    ({"learning_rate": Step(every=0)}, "every must be at least 1; got 0"),
    ({"learning_rate": Cosine(warmup=-1)}, "warmup must be at least 0; got -1"),
    ({"penalty": ElasticNet(l1_ratio=2.0)}, r"l1_ratio must be in \[0.*1.*\]; got 2.0"),
]
WRONG_TYPE = [
    ({"alpha": "1"}, "alpha must be a number; got '1'"),
    ({"alpha": True}, "alpha must be a number; got True"),
    ({"tol": "tight"}, "tol must be a number or None; got 'tight'"),
    ({"max_iter": 10.0}, "max_iter must be an integer; got 10.0"),
    ({"batch_size": 1.5}, "batch_size must be an integer; got 1.5"),
    ({"fit_intercept": "yes"}, "fit_intercept must be True or False; got 'yes'"),
    ({"shuffle": 1}, "shuffle must be True or False; got 1"),
    ({"warm_start": None}, "warm_start must be True or False; got None"),
    ({"average": 0.5}, "average must be True, False or a step number; got 0.5"),
    ({"verbose": "loud"}, "verbose must be an integer; got 'loud'"),
    ({"n_jobs": 1.5}, "n_jobs must be an integer or None; got 1.5"),
    ({"loss": Hinge}, r"loss takes an instance; got the class Hinge. Write loss=Hinge\(\)"),
    ({"solver": Adam}, r"solver takes an instance; got the class Adam"),
    ({"penalty": L1}, r"penalty takes an instance; got the class L1"),
    ({"learning_rate": Cosine}, r"learning_rate takes an instance; got the class Cosine"),
    ({"loss": 3}, "loss must be a name or an object with methods value.*gradient"),
    ({"penalty": 3}, "penalty must be a name, None, or an object with methods value.*prox"),
    ({"solver": 3}, "solver must be a name or an object"),
    ({"solver": L1()}, "solver must be a name or an object of skgd.solvers"),
    ({"learning_rate": 0.1}, "learning_rate must be a name, a schedule or a function"),
]


@pytest.mark.parametrize("params, match", WRONG, ids=str)
def test_parameter_out_of_range_is_named(est, X, y, params, match):
    early = "scoring" in params  # it is not looked at otherwise
    est.set_params(early_stopping=early, **params)
    assert_refused(est, X, y > 0, match)


@pytest.mark.parametrize("params, match", WRONG_TYPE, ids=str)
def test_parameter_of_the_wrong_type_is_named(est, X, y, params, match):
    assert_refused(est.set_params(**params), X, y > 0, match, TypeError)


@pytest.mark.parametrize(
    "params, nearest",
    [
        ({"solver": "nestrov"}, "'nesterov'"),
        ({"solver": "sdg"}, "'sgd'"),
        ({"loss": "squared_eror"}, "'squared_error'"),
        ({"loss": "quantil"}, "'quantile'"),
        ({"penalty": "L2"}, "'l2'"),
        ({"learning_rate": "onecycle"}, "'one_cycle'"),
    ],
    ids=str,
)
def test_known_names_are_listed_nearest_first(X, y, params, nearest):
    ((name, value),) = params.items()
    est = GDRegressor(**params)
    assert_refused(est, X, y, f"Unknown {name}='{value}'. Known: {nearest}, ")
    with pytest.raises(ValueError) as caught:
        est.fit(X, y)
    assert str(caught.value).count("'") >= 2 * 4  # the others are listed as well
