"""
A file read in chunks
=====================

Learn from a CSV file that is read in chunks, and see the accuracy grow.

.. code-block:: bash

    python examples/streaming.py

The file is written first, from scikit-learn's handwritten digits (64 raw pixel counts, ten
classes, in the order in which the writers filled in their forms). Then it is read 100 rows
at a time, as one would read a file that does not fit into memory. Every chunk is first
predicted, then learned from, so each prediction is for rows the model has never seen: the
running share of right ones is the progressive accuracy. scikit-learn's SGDClassifier reads the
same stream.
"""

import tempfile
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from skgd import GDClassifier

try:
    import matplotlib.pyplot as plt
except ImportError:  # figures are an extra: pip install "skgd[plot]"
    plt = None

CHUNK = 100


def write_stream(path):
    """Write the digits as a CSV file with the label in the last column; return the classes."""
    digits = load_digits(as_frame=True)
    digits.frame.to_csv(path, index=False)
    return digits.target_names


def main():
    models = {
        "sgd": GDClassifier(solver="sgd", random_state=0),  # a step for every row
        "adam": GDClassifier(solver="adam", random_state=0),  # a step for every few rows
        "SGDClassifier": SGDClassifier(loss="log_loss", random_state=0),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.csv"
        classes = write_stream(path)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB, read {CHUNK} rows at a time\n")
        print("Progressive accuracy\n" + f"{'rows':>6}" + "".join(f"{m:>16}" for m in models))

        tested, right, curves = 0, dict.fromkeys(models, 0), []
        for number, chunk in enumerate(pd.read_csv(path, chunksize=CHUNK)):
            X, y = chunk.drop(columns="target"), chunk["target"]
            if number > 0:  # before the first chunk there is nothing to predict with
                tested += len(y)
                for name, model in models.items():
                    right[name] += (model.predict(X) == y).sum()
                shares = "".join(f"{hits / tested:>16.1%}" for hits in right.values())
                print(f"{tested:>6}{shares}")
                curves.append([tested, *(hits / tested for hits in right.values())])
            for model in models.values():
                # A stream cannot tell its classes beforehand, so the first call names them all.
                model.partial_fit(X, y, classes=classes)
    if plt is not None:
        draw(curves, list(models))


def draw(curves, names):
    """Draw the share of right predictions against the rows seen."""
    _, ax = plt.subplots(layout="constrained")
    rows, *shares = zip(*curves, strict=True)
    for name, share, style in zip(names, shares, ("o-", "s--", "^:"), strict=True):
        ax.plot(rows, share, style, label=name)
    ax.set(xlabel="rows predicted before they were learnt", ylabel="share predicted right")
    ax.legend(frameon=False)


if __name__ == "__main__":
    main()
