"""Data sets of a folder, the options that choose them, and their F* between runs.

The folder holds ``load.py`` with ``names()`` and ``load(name) -> (X, y, info)``, where
``info["task"]`` is ``"binary"``, ``"multiclass"`` or ``"regression"``.
"""

import importlib.util
import json
from pathlib import Path

import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from .optimum import Optimum


class Optima:
    """F* by key, kept in a JSON file between runs when there is a path."""

    def __init__(self, path=None):
        self.path = Path(path) if path else None
        found = self.path and self.path.exists()
        self.found = json.loads(self.path.read_text()) if found else {}

    def get(self, key, objective):
        """Return the `Optimum` of the key, computed when it is not there."""
        if key not in self.found:
            self.found[key] = objective.optimum()[:3]
            if self.path:
                self.path.write_text(json.dumps(self.found, indent=1))
        return Optimum(*self.found[key])


def loader(folder):
    """Import ``load.py`` of the data folder."""
    spec = importlib.util.spec_from_file_location("load", Path(folder) / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def standardised(X):
    """Columns of unit standard deviation, and of mean zero where X is dense."""
    return StandardScaler(with_mean=not sp.issparse(X)).fit_transform(X)


def add_data_arguments(parser, required=True):
    """Add the options that choose sets and forms, the same in every script."""
    parser.add_argument("--data", required=required, help="folder with load.py")
    parser.add_argument("--sets", nargs="+", help="names; all of the folder when left out")
    parser.add_argument("--skip", nargs="+", default=[], help="names to leave out")
    forms = ["raw", "standardised"]
    parser.add_argument("--forms", nargs="+", choices=forms, default=forms)
    parser.add_argument("--alpha", type=float, default=1e-4)
    parser.add_argument("--rows", type=int, help="at most so many rows of each set")


def each_set(args, fits=lambda y, info: True):
    """Yield ``(name, form, X, y, info)`` of the sets that ``fits(y, info)`` lets through."""
    load = loader(args.data)
    for name in args.sets or [n for n in load.names() if n not in args.skip]:
        raw, y, info = load.load(name)
        raw, y = raw[: args.rows], y[: args.rows]
        if fits(y, info):
            for form in args.forms:
                yield name, form, raw if form == "raw" else standardised(raw), y, info
