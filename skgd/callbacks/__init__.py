"""What watches a run, by skgd and by its users."""

from .._protocols import Rescale, Stop
from ._base import Asked, Callback, Fit, FunctionCallback, UserEvent, as_callback
from ._bridge import SklearnBridge
from ._checkpoint import Checkpoint, read_checkpoint
from ._own import BestSoFar, EarlyStopping, TimeLimit
from ._progress import Lines, PrintProgress, StreamEvent, progress, stream_progress
from ._rules import DivergenceGuard, History, NoImprovement, Optimality, Plateau, Validation

__all__ = [
    "Asked",
    "BestSoFar",
    "Callback",
    "Checkpoint",
    "DivergenceGuard",
    "EarlyStopping",
    "Fit",
    "FunctionCallback",
    "History",
    "Lines",
    "NoImprovement",
    "Optimality",
    "Plateau",
    "PrintProgress",
    "Rescale",
    "SklearnBridge",
    "Stop",
    "StreamEvent",
    "TimeLimit",
    "UserEvent",
    "Validation",
    "as_callback",
    "progress",
    "read_checkpoint",
    "stream_progress",
]
