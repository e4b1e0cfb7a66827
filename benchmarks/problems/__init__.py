"""What is minimised: one small file a family, one line here."""

from ._counts import POISSON
from ._labels import L1_LOGISTIC, LOGISTIC, SOFTMAX
from ._margins import HINGE, SQUARED_HINGE
from ._numbers import ELASTIC_NET, HUBER, LASSO, QUANTILE, RIDGE

__all__ = ["PROBLEMS"]

PROBLEMS = {
    problem.name: problem
    for problem in (
        LOGISTIC,
        SOFTMAX,
        L1_LOGISTIC,
        RIDGE,
        LASSO,
        ELASTIC_NET,
        HUBER,
        QUANTILE,
        POISSON,
        HINGE,
        SQUARED_HINGE,
    )
}
