"""Pictures of descents, in scikit-learn's convention of displays; they need matplotlib."""

from ._coefficients import RegularizationPathDisplay
from ._descent_path import DescentPathDisplay
from ._learning_rate import LearningRateDisplay
from ._loss_curve import LossCurveDisplay
from ._schedule import ScheduleDisplay

__all__ = [
    "DescentPathDisplay",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "RegularizationPathDisplay",
    "ScheduleDisplay",
]
