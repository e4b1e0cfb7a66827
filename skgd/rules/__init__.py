"""Update rules: how a gradient becomes a move."""

from ._adadelta import AdaDelta
from ._adagrad import AdaGrad
from ._adam import Adam
from ._adamw import AdamW
from ._amsgrad import AMSGrad
from ._base import Rule
from ._momentum import Momentum
from ._nadam import NAdam
from ._nesterov import Nesterov
from ._rmsprop import RMSProp
from ._sgd import SGD

__all__ = [
    "RULES",
    "SGD",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "NAdam",
    "Nesterov",
    "RMSProp",
    "Rule",
]

RULES = {
    "adadelta": AdaDelta,
    "adagrad": AdaGrad,
    "adam": Adam,
    "adamw": AdamW,
    "amsgrad": AMSGrad,
    "momentum": Momentum,
    "nadam": NAdam,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "sgd": SGD,
}
