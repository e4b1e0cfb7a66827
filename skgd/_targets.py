"""Labels, targets and weights as the losses read them."""

import math
import numbers
from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

__all__ = [
    "Targets",
    "check_weights",
    "class_targets",
    "regression_targets",
    "weigh_classes",
]

_HEAVIEST = 1e300  # of a weight: many can still be added up
_CLOSE = 4096  # between the least and the largest label, for all to be counted


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of all rows and the loss that reads them."""

    y: np.ndarray  # (n,) or (n, k) float64: numbers, +-1, or class numbers
    loss: object
    n_outputs: int
    classes: np.ndarray | None = None
    codes: np.ndarray | None = None  # (n,) class numbers, for class weights
    flat: bool = True  # one target given as a vector

    def shown(self, rows):
        """Return labels or targets of some rows as the user gave them."""
        if self.classes is not None:
            return self.classes[self.codes[rows]]
        y = self.y[rows]
        return y if self.flat else y.reshape(len(y), -1)

    def taken(self, rows):
        """Return the targets of some rows alone."""
        codes = None if self.codes is None else self.codes[rows]
        return replace(self, y=np.ascontiguousarray(self.y[rows]), codes=codes)


def check_weights(weights, n_rows, name="sample_weight", zeros=False):
    """Return weights of rows as float64, a copy; ``zeros`` allows that all are zero.

    Raises
    ------
    ValueError
        If they are not ``n_rows`` finite numbers, none negative and not all zero.
    """
    if weights is None:
        return np.ones(n_rows)
    if isinstance(weights, numbers.Number):
        weights = np.full(n_rows, weights)
    weights = np.array(weights, dtype=np.float64)
    if weights.ndim != 1:
        raise ValueError(
            f"{name} must be a vector: Sample weights must be 1D array or scalar; "
            f"got an array of shape {weights.shape}."
        )
    if len(weights) != n_rows:
        raise ValueError(
            f"{name}.shape == {weights.shape}, expected {(n_rows,)}: one weight for each row of X."
        )
    if not np.isfinite(weights).all():
        bad = weights[~np.isfinite(weights)][0]
        raise ValueError(f"{name} contains {bad} (Input contains NaN or infinity).")
    if (weights < 0).any():
        raise ValueError(
            f"{name} must not be negative: Negative values in data; got {weights.min()!r}."
        )
    if weights.max(initial=0.0) > _HEAVIEST:
        raise ValueError(
            f"{name} goes up to {weights.max():.3g}, and sums of such numbers overflow. Divide "
            "it by a power of ten."
        )
    if not (zeros or weights.any()):
        raise ValueError(f"All values of {name} are zero: at least one weight must be positive.")
    return weights


def regression_targets(y, loss):
    """Return the `Targets` of numbers, of shape (n,) or (n, k)."""
    y = np.ascontiguousarray(y, dtype=np.float64)
    # Squares of all of them can then be added up.
    reach = max(-y.min(initial=0.0), y.max(initial=0.0))
    if reach > math.sqrt(np.finfo(float).max / (4 * max(y.size, 1))):
        raise ValueError(
            f"y goes from {y.min():.3g} to {y.max():.3g}, and squares of such numbers overflow. "
            "Divide it by a power of ten."
        )
    loss.check_targets(y)
    flat = y.ndim == 1
    if not flat and y.shape[1] == 1:
        return Targets(y[:, 0].copy(), loss, 1, flat=False)
    return Targets(y, loss, 1 if flat else y.shape[1], flat=flat)


def class_targets(y, loss, classes=None):
    """Return the `Targets` of labels.

    Parameters
    ----------
    y : array of shape (n_rows,)
        Labels of any kind that sorts.
    loss : Loss
        For two classes; beyond, its ``multiclass`` form is used.
    classes : array, default=None
        All labels that may occur, sorted; None takes those of ``y``.

    Raises
    ------
    ValueError
        If ``y`` has labels that are not in ``classes``, or fewer than two are known.
    """
    if y.dtype.kind not in "biu":
        check_classification_targets(y)  # whole numbers are labels without a look at each
    if classes is None:
        classes = _labels(y)
        codes = y == classes[1] if len(classes) == 2 else np.searchsorted(classes, y)
    else:
        codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        if not np.array_equal(classes[codes], y):
            unseen = np.setdiff1d(y, classes)
            raise ValueError(
                f"y contains labels that are not among the classes: {unseen.tolist()[:5]}. "
                f"Known classes: {classes.tolist()[:20]}. The first call of partial_fit may name "
                "more than it sees (classes=...)."
            )
    if len(classes) < 2:
        raise ValueError(
            f"A classifier needs at least two classes; y holds one class only: {classes.tolist()}."
        )
    codes = codes.reshape(-1)
    if len(classes) == 2:
        signs = 2.0 * codes - 1.0
        return Targets(signs, loss, 1, classes, codes.astype(np.intp, copy=False))
    return Targets(codes.astype(np.float64), loss.multiclass(), len(classes), classes, codes)


def _labels(y):
    """Return what ``np.unique`` does; whole numbers close together are counted."""
    if y.dtype.kind in "iu" and y.size:
        low, high = y.min(), y.max()
        if int(high) - int(low) == 1:
            return np.array([low, high], dtype=y.dtype)
        if int(high) - int(low) < _CLOSE:
            # Differences may not fit into the type of the labels, unless it wraps around.
            with np.errstate(over="ignore"):
                above = (y.astype(np.uint64) - low.astype(np.uint64)).astype(np.intp)
                labels = low + np.flatnonzero(np.bincount(above)).astype(y.dtype)
            return labels.astype(y.dtype)
    return np.unique(y)


def weigh_classes(s, targets, class_weight, zeros=False):
    """Multiply weights of rows by those of their classes, in place.

    ``"balanced"`` counts rows with their weights: ``sum(s) / (k * sum of s in the class)``.
    """
    if class_weight is None:
        return s
    k = len(targets.classes)
    if isinstance(class_weight, str) and class_weight == "balanced":
        held = np.bincount(targets.codes, weights=s, minlength=k)
        factors = np.divide(s.sum(), k * held, out=np.ones(k), where=held > 0)
    elif isinstance(class_weight, dict):
        known = set(targets.classes.tolist())
        unknown = [c for c in class_weight if c not in known]
        if unknown:
            raise ValueError(
                f"class_weight names classes that are not known: {unknown}. "
                f"Known classes: {targets.classes.tolist()[:20]}."
            )
        factors = np.array([class_weight.get(c, 1.0) for c in targets.classes.tolist()], float)
        if not np.isfinite(factors).all() or (factors < 0).any():
            raise ValueError(f"class_weight must hold numbers >= 0; got {class_weight!r}.")
    else:
        # scikit-learn words this error as its users know it.
        factors = compute_class_weight(
            class_weight, classes=targets.classes, y=targets.classes[targets.codes]
        )
    s *= factors[targets.codes]
    if not (zeros or s.any()):
        raise ValueError("class_weight leaves no row with a positive weight.")
    return s
