"""What tells of a fit says what it takes, and where that is found."""

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skgd
from skgd import GDRegressor


@pytest.fixture
def fitted(rows, target):
    X = rows(40, 3)
    return lambda est: est.fit(X, target(X, "regression"))


@pytest.mark.parametrize("tell", [skgd.summary, skgd.history_frame])
def test_what_holds_an_estimator_says_where_it_is(tell, fitted):
    pipeline = fitted(make_pipeline(StandardScaler(), GDRegressor()))
    with pytest.raises(TypeError, match=r"(?s)got Pipeline.*pass the last step, pipeline\[-1\]"):
        tell(pipeline)
    tell(pipeline[-1])
    search = fitted(GridSearchCV(GDRegressor(), {"alpha": [0.1, 1.0]}, cv=2))
    with pytest.raises(TypeError, match=r"(?s)got GridSearchCV.*pass its best_estimator_"):
        tell(search)
    tell(search.best_estimator_)


@pytest.mark.parametrize("tell", [skgd.summary, skgd.history_frame])
def test_others_are_refused_and_a_fit_is_asked_for(tell, fitted):
    with pytest.raises(TypeError, match=r"est must be a GDClassifier or a GDRegressor; got Ridge"):
        tell(fitted(Ridge()))
    with pytest.raises(NotFittedError):
        tell(GDRegressor())
