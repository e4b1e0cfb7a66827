"""`GDRegressorCV` and `GDClassifierCV`: the strength of the penalty chosen by cross-validation."""

import copy
import inspect
import numbers
from dataclasses import replace

import numpy as np
from sklearn import config_context, get_config
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed

from ._build import Data, given_start, mean_loss, theta_of, unchanged_on_error
from ._compat import callbacks_of, one_blas_thread, thread_count
from ._doc_cv import document
from ._estimators import GDClassifier, GDRegressor
from ._follow import Ground, follow
from ._params import one_scorer, read
from ._path import check_alphas, check_grid, check_path, ended, strengths, warn_if_short
from ._ranges import check_flag
from ._targets import check_weights, weigh_classes

__all__ = ["GDClassifierCV", "GDRegressorCV"]

_CHOICE = {"cv": None, "eps": None, "selection": "best", "refit": True}
_SELECTIONS = ("best", "one_standard_error")
_DEFAULT = 20  # strengths of a grid
_TIE = 64.0 * np.finfo(float).eps  # scores nearer to each other are equal
_FEW = 0.5  # share of the rows below which those of a fold are copied


def _takes(plain):
    """Give a class the parameters of ``plain``, with ``alphas`` for ``alpha``, and its own."""
    kept = dict(inspect.signature(plain.__init__).parameters)
    last = inspect.Parameter.KEYWORD_ONLY
    parts = [
        inspect.Parameter("alphas", last, default=None) if name == "alpha" else parameter
        for name, parameter in kept.items()
    ]
    parts += [inspect.Parameter(name, last, default=value) for name, value in _CHOICE.items()]
    signature = inspect.Signature(parts)

    def decorate(cls):
        def __init__(self, *args, **params):
            bound = signature.bind(self, *args, **params)
            bound.apply_defaults()
            for name, value in bound.arguments.items():
                if name != "self":
                    setattr(self, name, value)

        __init__.__signature__ = signature
        cls.__init__, cls._plain_class = __init__, plain
        return cls

    return decorate


def _no_stream(est):
    raise AttributeError(
        f"{type(est).__name__} chooses alpha by folds of all rows, so it cannot learn from a "
        f"stream; {est._plain_class.__name__}.partial_fit can, with the alpha found."
    )


def _is_fitted(name):
    """Whether an attribute comes from the rows, and a prediction or a user may ask for it."""
    return (name.endswith("_") and not name.startswith("_")) or name == "_flat_target"


class _Choosing:
    """What the two share: paths on the rows outside each fold, scored on those inside."""

    # -- parameters -----------------------------------------------------------------

    def _plain(self, **more):
        """Return an estimator with the parameters of this one, of a single strength."""
        params = self.get_params(deep=False)
        for name in ("alphas", *_CHOICE):
            del params[name]
        return self._plain_class(**{**params, "scoring": None, **more})

    def _ratios(self):
        ratios = self.l1_ratio
        if np.ndim(ratios) == 0:
            return [ratios]
        ratios = list(ratios)
        if not ratios:
            raise ValueError("l1_ratio must hold at least one number; got none.")
        if self.penalty != "elasticnet":
            raise ValueError(
                f"l1_ratio={self.l1_ratio!r} has several values, and penalty={self.penalty!r} "
                "uses none. Use penalty='elasticnet'."
            )
        return ratios

    def _strengths(self):
        """Return given strengths, decreasing, or None, and how many a grid has."""
        alphas = self.alphas
        whole = isinstance(alphas, numbers.Integral) and not isinstance(alphas, bool)
        if alphas is None or whole:
            n_alphas = _DEFAULT if alphas is None else alphas
            check_grid(n_alphas, self.eps, "alphas")
            return None, n_alphas
        check_grid(1, self.eps)
        return check_alphas(alphas), 0

    def _scorer(self):
        if isinstance(self.scoring, str) and self.scoring == "loss":
            return "loss"
        return one_scorer(self._plain(l1_ratio=self._ratios()[0]), self.scoring)

    def get_metadata_routing(self):
        """Return what metadata goes where: to the fit, to the splitter, to the scorer.

        Returns
        -------
        MetadataRouter
            As of scikit-learn's estimators with cross-validation.
        """
        fits = MethodMapping().add(caller="fit", callee="split")
        splitter = check_cv(self.cv, classifier=is_classifier(self))
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=splitter, method_mapping=fits)
        scorer = self._scorer()
        if scorer != "loss":
            router.add(
                scorer=scorer, method_mapping=MethodMapping().add(caller="fit", callee="score")
            )
        return router

    def _routed(self, sample_weight, params):
        """Return metadata for the splitter and for the scorer."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            scores = routed["scorer"].score if "scorer" in routed else {}
            return dict(routed.splitter.split), dict(scores)
        unknown = set(params) - {"groups"}
        if unknown:
            raise TypeError(
                f"fit got {sorted(unknown)}; beside X and y it takes sample_weight and groups, "
                "others with sklearn.set_config(enable_metadata_routing=True)."
            )
        groups = {name: value for name, value in params.items() if value is not None}
        return groups, {} if sample_weight is None else {"sample_weight": sample_weight}

    # -- fit ------------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None, **params):
        """Choose the strength by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
            Rows. C-ordered floats and CSR are used as they are.
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
            Labels or targets.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of rows, in fits and in scores.
        **params : dict
            ``groups`` for the splitter. With ``enable_metadata_routing=True``, what the
            splitter and the scorer ask for, ``sample_weight`` of the scorer included.

        Returns
        -------
        self : estimator
            Fitted.

        Raises
        ------
        ValueError, TypeError
            If a parameter or an array cannot be used, or a fold leaves nothing to learn from;
            a model fitted before stays as it was.
        """
        with unchanged_on_error(self):
            check_flag("refit", self.refit)
            if self.selection not in _SELECTIONS:
                raise ValueError(f"selection must be in {_SELECTIONS}; got {self.selection!r}.")
            given, n_alphas = self._strengths()
            least = {} if given is None else {"alpha": float(given[-1])}
            ratios = self._ratios()
            plain = [self._plain(l1_ratio=ratio, **least) for ratio in ratios]
            for est in plain:
                check_path(est)
            plans = [read(est, est._kind, "fit") for est in plain]
            scorer = self._scorer()
            split, score = self._routed(sample_weight, params)

            data = plain[0]._rows(X, y, sample_weight, plans[0].loss, reset=True)
            known = {k: v for k, v in vars(plain[0]).items() if _is_fitted(k)}
            for est in plain:
                vars(est).update(known)
            start = self._start(None, None)
            folds = self._folds(data, split)
            self._check_scores(folds)
            with one_blas_thread(data.X.shape):
                whole = Ground(plain[0], plans[0], data)
                alphas = [strengths(whole, plan, given, n_alphas, self.eps) for plan in plans]
                weights = check_weights(sample_weight, data.X.shape[0])
                if "sample_weight" in score:
                    score["sample_weight"] = weights
                task = _Task(plain, plans, data, weights, alphas, scorer, score, start)
                found = self._in_turn(task, folds)
            scores = np.array([scores for scores, _ in found])
            self._keep(scores, np.array(alphas), ratios, folds)
            vars(self).update(known)
            ends = [end for _, ends in found for end in ends]
            warn_if_short(type(self).__name__, ends, self.max_iter, self.tol)
            if self.refit:
                best = self._plain(alpha=self.alpha_, l1_ratio=self.l1_ratio_)
                if callbacks_of(self):
                    best.set_callbacks(*callbacks_of(self))
                best.fit(X, y, sample_weight=sample_weight, **start)
                vars(self).update({k: v for k, v in vars(best).items() if _is_fitted(k)})
        return self

    def _folds(self, data, split):
        y = data.targets.shown(slice(None))
        cv = check_cv(self.cv, y, classifier=is_classifier(self))
        rows = np.arange(data.X.shape[0])
        folds = [(rows[train], rows[test]) for train, test in cv.split(data.X, y, **split)]
        if not folds:
            raise ValueError(f"cv={self.cv!r} gives no folds.")
        return folds

    def _check_scores(self, folds):
        """Raise ValueError where it is known that a fold will have no score."""
        if is_classifier(self) or not (self.scoring is None or self.scoring == "r2"):
            return
        for k, (_, test) in enumerate(folds):
            if len(test) == 1:
                raise ValueError(
                    f"Fold {k} of cv={self.cv!r} holds out a single row, and scoring="
                    f"{self.scoring!r} is R2, which is not defined for one. Use scoring='loss' or "
                    "'neg_mean_squared_error', or folds of more rows."
                )

    def _in_turn(self, task, folds):
        """Return what a task finds for each fold; threads take folds, and share what is left."""
        threads = thread_count(self.n_jobs)
        workers = min(threads, len(folds))
        seeds = [self.random_state] * len(folds)
        if isinstance(self.random_state, np.random.RandomState):
            # Folds on threads must not race for the numbers of one generator.
            rng = check_random_state(self.random_state)
            seeds = rng.randint(np.iinfo(np.int32).max, size=len(folds)).tolist()
        run = Parallel(n_jobs=workers, require="sharedmem")
        return run(
            delayed(task)(k, *fold, seed, max(1, threads // workers))
            for k, (fold, seed) in enumerate(zip(folds, seeds, strict=True))
        )

    def _keep(self, scores, alphas, ratios, folds):
        """Set what the scores say: of shape (n_folds, n_l1_ratios, n_alphas)."""
        with np.errstate(invalid="ignore", over="ignore"):
            mean, std = scores.mean(axis=0), scores.std(axis=0)
        ranked = np.where(np.isfinite(mean), mean, -np.inf)
        top = ranked.max()
        if not np.isfinite(top):
            why, without = "", np.flatnonzero(~np.isfinite(scores).any(axis=(1, 2)))
            if len(without):
                k = without[0]
                why = f": fold {k} has none on its rows, {len(folds[k][1])} in number"
                if self.scoring != "loss":
                    why += ". Use a score that is defined there, such as scoring='loss', or other "
                    why += "folds"
            raise ValueError(
                f"scoring={self.scoring!r} gave no finite mean score at any alpha, so there is "
                f"nothing to choose by{why}."
            )
        least = top - _TIE * max(1.0, abs(top))
        if self.selection == "one_standard_error" and len(scores) > 1:
            at = np.unravel_index(np.argmax(ranked), ranked.shape)
            least = top - scores[(slice(None), *at)].std(ddof=1) / np.sqrt(len(scores))
        # The strongest penalty of those that do: first in its grid, then the largest l1 share.
        good = [(j, -(ratios[i] or 0.0), i) for i, j in np.argwhere(ranked >= least).tolist()]
        j, _, i = min(good)
        self.alpha_, self.l1_ratio_ = float(alphas[i, j]), ratios[i]
        self.best_score_ = float(mean[i, j])
        self.best_index_ = i * alphas.shape[1] + j
        several = np.ndim(self.l1_ratio) > 0
        self.alphas_ = alphas if several else alphas[0]
        self.n_splits_ = len(scores)
        self.cv_results_ = {
            "params": [
                {"alpha": alpha} | ({"l1_ratio": ratio} if several else {})
                for ratio, row in zip(ratios, alphas.tolist(), strict=True)
                for alpha in row
            ],
            "param_alpha": alphas.ravel(),
            "param_l1_ratio": np.repeat(np.array(ratios, dtype=float), alphas.shape[1]),
            **{f"split{k}_test_score": one.ravel() for k, one in enumerate(scores)},
            "mean_test_score": mean.ravel(),
            "std_test_score": std.ravel(),
            "rank_test_score": 1 + (ranked.ravel()[:, None] < ranked.ravel()).sum(axis=1),
        }

    # -- predicting -----------------------------------------------------------------

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coef_")

    @available_if(_no_stream)
    def partial_fit(self):
        """Not offered."""


class _Task:
    """Paths on the rows outside a fold, scored on those inside; one for each l1 share."""

    def __init__(self, plain, plans, data, weights, alphas, scorer, score, start):
        self.plain, self.plans, self.data, self.weights = plain, plans, data, weights
        self.alphas, self.scorer, self.score, self.start = alphas, scorer, score, start

    def __call__(self, k, train, test, seed, n_threads):
        """Return scores of shape (n_l1_ratios, n_alphas), and how fits ended; keep no model."""
        data = self._outside(k, train)
        if not self.weights[test].any():
            raise ValueError(f"Fold {k} holds out no row with a positive weight.")
        scored, ground, scores, ends = self._scored(test), None, [], []
        for est, plan, alphas in zip(self.plain, self.plans, self.alphas, strict=True):
            one = copy.copy(est)
            one.random_state = seed
            if ground is None:
                ground = Ground(one, replace(plan, n_threads=n_threads), data)
                start = given_start(ground.objective, *self.start.values())
            scores.append([])
            for model, _ in follow(one, one._kind, ground, alphas, start):
                scores[-1].append(scored(model))
                ends.append(ended(model))
        return np.array(scores), ends

    def _outside(self, k, train):
        """Return the rows that a fold learns from; weights say how often each one counts."""
        data, n = self.data, self.data.X.shape[0]
        counts = np.bincount(train, minlength=n)
        s = self.weights * counts
        X, targets = data.X, data.targets
        if not s.any():
            raise ValueError(f"Fold {k} leaves no row with a positive weight to learn from.")
        if targets.classes is not None:
            seen = np.bincount(targets.codes, weights=s, minlength=len(targets.classes)) > 0
            if seen.sum() < 2:
                raise ValueError(
                    f"Fold {k} leaves rows of one class only to learn from: "
                    f"{targets.classes[seen].tolist()}. Use fewer folds, or a splitter that "
                    "keeps the classes' shares."
                )
        rows = np.flatnonzero(counts)
        if len(rows) < _FEW * n:
            # Beyond that, rows of weight zero cost less than a copy of the others.
            X, targets, s = X[rows], targets.taken(rows), s[rows]
        if targets.classes is not None:
            s = weigh_classes(s, targets, self.plain[0].class_weight)
        return Data(X, targets, s)

    def _scored(self, test):
        """Return a function that scores a model on the rows of a fold."""
        data, X = self.data, self.data.X[test]
        if self.scorer == "loss":
            mean = mean_loss(X, data.targets.taken(test), self.weights[test])
            return lambda model: -mean(theta_of(model))
        y, n = data.targets.shown(test), data.X.shape[0]
        params = {
            name: np.asarray(value)[test] if np.shape(value)[:1] == (n,) else value
            for name, value in self.score.items()
        }

        def score(model):
            # The rows are arrays by now, and a scorer must not complain that they have no names.
            names = vars(model).pop("feature_names_in_", None)
            try:
                # Rows have been looked at; a prediction that overflows is the worst there is.
                with config_context(assume_finite=True):
                    return self.scorer(model, X, y, **params)
            finally:
                if names is not None:
                    model.feature_names_in_ = names

        return score


@document
@_takes(GDRegressor)
class GDRegressorCV(_Choosing, GDRegressor):
    pass


@document
@_takes(GDClassifier)
class GDClassifierCV(_Choosing, GDClassifier):
    pass
