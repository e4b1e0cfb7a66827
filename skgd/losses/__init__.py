"""Losses: what one row costs, as a function of its target and its linear predictor."""

from functools import partial

from .._component import Component, resolve, unknown_name
from ._absolute_error import AbsoluteError
from ._base import LogLinkLoss, Loss, MarginLoss, RegressionLoss
from ._epsilon_insensitive import EpsilonInsensitive
from ._gamma import Gamma
from ._hinge import Hinge
from ._huber import Huber
from ._log_cosh import LogCosh
from ._log_loss import LogLoss
from ._modified_huber import ModifiedHuber
from ._one_vs_rest import OneVsRest
from ._perceptron import Perceptron
from ._poisson import Poisson
from ._quantile import Quantile
from ._softmax import Softmax
from ._squared_epsilon_insensitive import SquaredEpsilonInsensitive
from ._squared_error import SquaredError
from ._squared_hinge import SquaredHinge
from ._tweedie import Tweedie
from ._user import UserLoss

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "EpsilonInsensitive",
    "Gamma",
    "Hinge",
    "Huber",
    "LogCosh",
    "LogLinkLoss",
    "LogLoss",
    "Loss",
    "MarginLoss",
    "ModifiedHuber",
    "OneVsRest",
    "Perceptron",
    "Poisson",
    "Quantile",
    "RegressionLoss",
    "Softmax",
    "SquaredEpsilonInsensitive",
    "SquaredError",
    "SquaredHinge",
    "Tweedie",
    "UserLoss",
    "get_loss_names",
    "resolve_loss",
]

LOSSES = {
    "absolute_error": AbsoluteError,
    "epsilon_insensitive": EpsilonInsensitive,
    "gamma": Gamma,
    "hinge": Hinge,
    "huber": Huber,
    "log_cosh": LogCosh,
    "log_loss": LogLoss,
    "modified_huber": ModifiedHuber,
    "perceptron": Perceptron,
    "poisson": Poisson,
    "quantile": Quantile,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
    "squared_error": SquaredError,
    "squared_hinge": SquaredHinge,
    "tweedie": Tweedie,
}

_KINDS = ("classification", "regression")


def get_loss_names(kind):
    """Return the strings that name a loss.

    Parameters
    ----------
    kind : {"classification", "regression"}
        Task. The losses of a residual serve both, on targets of +1 and -1 in
        classification.

    Returns
    -------
    list of str
        Sorted names.

    Raises
    ------
    ValueError
        If ``kind`` is another word.

    Examples
    --------
    >>> from skgd.losses import get_loss_names
    >>> "poisson" in get_loss_names("regression")
    True
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be 'classification' or 'regression'; got {kind!r}.")
    return sorted(name for name, cls in LOSSES.items() if kind in cls.kinds)


def resolve_loss(spec, kind, epsilon=0.1):
    """Turn an estimator's ``loss`` into a checked loss of its own.

    Parameters
    ----------
    spec : str or object
        A name, a `Loss`, or any object with ``value`` and ``gradient``.
    kind : {"classification", "regression"}
        Task of the estimator.
    epsilon : float, default=0.1
        The estimator's ``epsilon``, for the huber and epsilon-insensitive losses where
        named by string.

    Returns
    -------
    Loss
        A clone where ``spec`` is a loss, a `UserLoss` around another object.

    Raises
    ------
    ValueError
        If the name is unknown, the loss does not fit the task, or a hyper-parameter is
        out of range.
    TypeError
        If ``spec`` is neither a name nor an object with the two methods.

    Examples
    --------
    >>> from skgd.losses import resolve_loss
    >>> resolve_loss("huber", "regression", epsilon=2.0)
    Huber(epsilon=2.0)
    """
    names = get_loss_names(kind)
    if isinstance(spec, str) and spec not in LOSSES:
        raise unknown_name(spec, names, "loss")
    takes_epsilon = (Huber, EpsilonInsensitive, SquaredEpsilonInsensitive)
    registry = {
        name: partial(cls, epsilon=epsilon) if issubclass(cls, takes_epsilon) else cls
        for name, cls in LOSSES.items()
    }
    if isinstance(spec, Component) and not isinstance(spec, Loss):
        spec = UserLoss(spec)
    loss = resolve(spec, registry, "loss", wrap=UserLoss)
    if kind not in loss.kinds:
        raise ValueError(
            f"loss={loss.name!r} is not a loss for {kind}. Known: {', '.join(map(repr, names))}."
        )
    return loss
