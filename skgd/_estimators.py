"""`GDRegressor` and `GDClassifier`: parameters, checks of input, predictions."""

import copy
import functools

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from . import _fit, _stream
from ._build import Data, unchanged_on_error
from ._compat import (
    CallbackSupportMixin,
    is_callback,
    keep_callbacks,
    one_blas_thread,
    thread_count,
    with_callbacks,
)
from ._component import KnownParams
from ._doc import document
from ._links import Documented
from ._params import one_scorer, read
from ._targets import check_weights, class_targets, regression_targets, weigh_classes
from .callbacks import as_callback
from .losses import resolve_loss
from .objectives import are_plain, check_sparse, is_long
from .solvers import Rule, Solver, get_solver_names, resolve_solver

__all__ = ["GDClassifier", "GDRegressor"]

_ROWS = {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "order": "C"}


@functools.cache
def _named(solver):
    """Return the solver of a name, for looks at its class; None where there is none."""
    return resolve_solver(solver) if solver in get_solver_names() else None


def _streams(est):
    """Raise AttributeError where the solver cannot learn from a stream."""
    spec = est.solver
    if isinstance(spec, str):
        spec = _named(spec)
    if isinstance(spec, Solver) and not isinstance(spec, Rule) and not spec.streams:
        raise AttributeError(
            f"solver={est.solver!r} needs all rows at every step, so it cannot learn from a "
            "stream; partial_fit is offered by 'sgd', 'adam' and the other stochastic "
            "solvers, and by solver='auto'."
        )
    return True


def _gives_probabilities(est):
    loss = est.loss
    if isinstance(loss, str) and loss in ("log_loss", "modified_huber"):
        return True
    if getattr(loss, "has_proba", callable(getattr(loss, "proba", None))):
        return True
    raise AttributeError(
        f"loss={est.loss!r} gives no probabilities; 'log_loss' and 'modified_huber' do. Wrap "
        "the classifier in sklearn.calibration.CalibratedClassifierCV to have them."
    )


class _GDBase(_stream.Streamed, Documented, KnownParams, CallbackSupportMixin, BaseEstimator):
    """What the two estimators share: one route through fit and partial_fit."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- learning -------------------------------------------------------------------

    def set_callbacks(self, *callbacks):
        """Set what watches fits from now on, in place of what did so far.

        Parameters
        ----------
        *callbacks : function, Callback or scikit-learn callback
            A function takes an event (`skgd.callbacks.UserEvent`) after each iteration and may
            return True to end the fit; `skgd.callbacks` has time limits, checkpoints and others.
            scikit-learn's callbacks need scikit-learn 1.9. None at all takes off what was set.

        Returns
        -------
        self : estimator

        Raises
        ------
        TypeError
            If one is none of these.
        RuntimeError
            If one is scikit-learn's, and the version here has no callbacks.
        """
        return keep_callbacks(self, [as_callback(one, is_callback) for one in callbacks])

    @property
    def _kind(self):
        return "classification" if isinstance(self, ClassifierMixin) else "regression"

    def _start(self, coef_init, intercept_init):
        if self.warm_start and coef_init is None and hasattr(self, "coef_"):
            coef_init = self.coef_
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        return {"coef_init": coef_init, "intercept_init": intercept_init}

    def _fit_all(self, X, y, coef_init, intercept_init, sample_weight, validation):
        with unchanged_on_error(self):
            plan = read(self, self._kind, "fit")
            if self.scoring is not None and self.scoring != "loss":
                self._scorer()
            record = vars(self).pop("_resume", None)
            if record is None or not self.warm_start:
                start = self._start(coef_init, intercept_init)
            elif coef_init is None and intercept_init is None:
                # A run that fails must leave what it began from.
                start = {"record": copy.deepcopy(record)}
            else:
                raise ValueError(
                    "coef_init and intercept_init were given to an estimator that goes on from a "
                    "checkpoint. Leave them out, or set warm_start=False to begin anew."
                )
            given, check = (X, y, sample_weight), None
            if is_long(X):
                check = functools.partial(self._check_rows, X, y, reset=False)
            data = self._rows(*given, plan.loss, reset=True, entries=check is None)
            validation = self._validation_rows(*validation)
            with one_blas_thread(data.X.shape):
                interrupt = _fit.fit(
                    self, plan, data, validation=validation, metadata=given, check=check, **start
                )
        if interrupt is not None:
            raise interrupt
        return self

    def _learn(self, plan, data, undo):
        """Learn from rows of a stream; where none has a weight, be as before."""
        if data.s.any():
            return _stream.partial_fit(self, plan, data)
        undo()
        return self

    def _validated(self, X, y, reset, entries=True, **options):
        """Return what `validate_data` does, at once where it would change nothing."""
        known = None if reset else self.n_features_in_
        named = not reset and hasattr(self, "feature_names_in_")
        n_threads = thread_count(getattr(self, "n_jobs", None))
        if named or not are_plain(X, y, known, n_threads, entries):
            X, y = validate_data(self, X, y, reset=reset, **options, **_ROWS)
        elif reset:
            self.n_features_in_ = X.shape[1]
            vars(self).pop("feature_names_in_", None)
        check_sparse(X)
        return X, y

    def _validation_rows(self, X, y, weights):
        if X is None and y is None:
            if weights is not None:
                raise ValueError("sample_weight_val was given without X_val and y_val.")
            return None
        if X is None or y is None:
            raise ValueError("X_val and y_val must be given together.")
        try:
            X, y = self._check_rows(X, y, reset=False)
            self._encode(y, resolve_loss(self.loss, self._kind, self.epsilon), self._known())
        except ValueError as error:
            raise ValueError(f"X_val and y_val cannot be used: {error}") from error
        if weights is not None:
            weights = check_weights(weights, X.shape[0], "sample_weight_val")
        return X, y, weights

    def _known(self):
        return getattr(self, "classes_", None)

    def _scorer(self):
        return one_scorer(self, self.scoring)

    # -- predicting -----------------------------------------------------------------

    def _eta(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **_ROWS)
        check_sparse(X)
        return self._predictor(X)

    def sparsify(self):
        """Convert ``coef_`` to a CSR matrix, which saves memory where most are zero.

        Returns
        -------
        self : estimator
            With ``coef_`` sparse; ``fit`` and ``partial_fit`` make it dense again.
        """
        check_is_fitted(self)
        if not sp.issparse(self.coef_):
            self.coef_ = sp.csr_matrix(self.coef_)
        return self

    def densify(self):
        """Convert ``coef_`` back to an array.

        Returns
        -------
        self : estimator
        """
        check_is_fitted(self)
        if sp.issparse(self.coef_):
            dense = self.coef_.toarray()
            self.coef_ = dense[0] if self._flat_coef(len(dense)) else dense
        return self


@document
class GDRegressor(MultiOutputMixin, RegressorMixin, _GDBase):
    def __init__(
        self,
        loss="squared_error",
        *,
        penalty="l2",
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        solver="auto",
        batch_size="auto",
        learning_rate="auto",
        eta0="auto",
        power_t=0.25,
        clip_norm=None,
        clip_value=None,
        max_iter=1000,
        tol=1e-4,
        shuffle=True,
        average=False,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        scoring=None,
        warm_start=False,
        random_state=None,
        verbose=0,
        epsilon=0.1,
        n_jobs=None,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.average = average
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.epsilon = epsilon
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        loss = self.loss
        positive = isinstance(loss, str) and loss in ("poisson", "gamma", "tweedie")
        tags.target_tags.positive_only = positive or getattr(loss, "positive_only", False)
        return tags

    def _flat_coef(self, n_outputs):
        return n_outputs == 1 and self._flat_target

    def _encode(self, y, loss, known=None):
        return regression_targets(y, loss)

    def _check_rows(self, X, y, reset, entries=True):
        options = {"multi_output": True, "y_numeric": True}
        X, y = self._validated(X, y, reset, entries, **options)
        if y.ndim == 2 and y.shape[1] == 0:
            raise ValueError("y has no targets: it must have at least one column.")
        return X, y

    def _rows(self, X, y, sample_weight, loss, reset, zeros=False, entries=True):
        X, y = self._check_rows(X, y, reset, entries)
        s = check_weights(sample_weight, X.shape[0], zeros=zeros)
        targets = self._encode(y, loss)
        self._flat_target = targets.flat
        return Data(X, targets, s)

    @with_callbacks
    def fit(
        self,
        X,
        y,
        coef_init=None,
        intercept_init=None,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        validation = X_val, y_val, sample_weight_val
        return self._fit_all(X, y, coef_init, intercept_init, sample_weight, validation)

    @available_if(_streams)
    def partial_fit(self, X, y, sample_weight=None):
        if _stream.short_call(self, X, y, sample_weight):
            return self
        with unchanged_on_error(self) as undo:
            plan = read(self, self._kind, "partial_fit")
            _refuse_for_streams(self)
            first = not hasattr(self, "coef_")
            data = self._rows(X, y, sample_weight, plan.loss, reset=first, zeros=True)
            if not first and np.size(self.intercept_) != data.targets.n_outputs:
                raise ValueError(
                    f"y has {data.targets.n_outputs} targets, but {type(self).__name__} has "
                    f"learnt {np.size(self.intercept_)}."
                )
            return self._learn(plan, data, undo)

    def predict(self, X):
        eta = self._eta(X)
        if self._flat_target or self.coef_.ndim == 1:
            eta = eta.reshape(-1)
        loss = resolve_loss(self.loss, self._kind, self.epsilon)
        return loss.inverse_link(eta, np)


def _refuse_for_streams(est):
    if est.early_stopping:
        raise ValueError(
            "early_stopping=True cannot be used with partial_fit: which rows to hold out of a "
            "stream is not known. Score each chunk before learning from it instead."
        )
    if isinstance(getattr(est, "class_weight", None), str):
        raise ValueError(
            f"class_weight={est.class_weight!r} is not supported by partial_fit: the shares of "
            "the classes in the stream are not known. Pass a dict of weights, computed with "
            "sklearn.utils.class_weight.compute_class_weight('balanced', classes=..., y=...) "
            "on a sample, or sample_weight."
        )


@document
class GDClassifier(ClassifierMixin, _GDBase):
    def __init__(
        self,
        loss="log_loss",
        *,
        penalty="l2",
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        solver="auto",
        batch_size="auto",
        learning_rate="auto",
        eta0="auto",
        power_t=0.5,
        clip_norm=None,
        clip_value=None,
        max_iter=1000,
        tol=1e-4,
        shuffle=True,
        average=False,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        scoring=None,
        class_weight=None,
        warm_start=False,
        random_state=None,
        verbose=0,
        epsilon=0.1,
        n_jobs=None,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.average = average
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.epsilon = epsilon
        self.n_jobs = n_jobs

    def _flat_coef(self, n_outputs):
        return False

    def _encode(self, y, loss, known=None):
        return class_targets(y, loss, known)

    def _check_rows(self, X, y, reset, entries=True):
        return self._validated(X, y, reset, entries)

    def _rows(self, X, y, sample_weight, loss, reset, classes=None, zeros=False, entries=True):
        X, y = self._check_rows(X, y, reset, entries)
        s = check_weights(sample_weight, X.shape[0], zeros=zeros)
        targets = self._encode(y, loss, classes)
        self.classes_ = targets.classes
        return Data(X, targets, weigh_classes(s, targets, self.class_weight, zeros))

    @with_callbacks
    def fit(
        self,
        X,
        y,
        coef_init=None,
        intercept_init=None,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        validation = X_val, y_val, sample_weight_val
        return self._fit_all(X, y, coef_init, intercept_init, sample_weight, validation)

    @available_if(_streams)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        if _stream.short_call(self, X, y, sample_weight, classes):
            return self
        with unchanged_on_error(self) as undo:
            plan = read(self, self._kind, "partial_fit")
            _refuse_for_streams(self)
            first = not hasattr(self, "coef_")
            known = self._known_classes(classes, first)
            options = {"reset": first, "classes": known, "zeros": True}
            data = self._rows(X, y, sample_weight, plan.loss, **options)
            return self._learn(plan, data, undo)

    def _known_classes(self, classes, first):
        if classes is not None:
            classes = unique_labels(classes)
        if first:
            if classes is None:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit: all labels that "
                    "may ever occur, since the first rows need not hold each of them."
                )
            return classes
        if classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"classes={classes.tolist()} is not the same as on the last call to "
                f"partial_fit, was: {self.classes_.tolist()}."
            )
        return self.classes_

    def decision_function(self, X):
        eta = self._eta(X)
        return eta.reshape(-1) if eta.shape[1] == 1 else eta

    def predict(self, X):
        eta = self.decision_function(X)
        best = (eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(axis=1)
        return self.classes_[best]

    @available_if(_gives_probabilities)
    def predict_proba(self, X):
        eta = self.decision_function(X)
        loss = resolve_loss(self.loss, self._kind, self.epsilon)
        return (loss if eta.ndim == 1 else loss.multiclass()).proba(eta, np)

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X):
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))
