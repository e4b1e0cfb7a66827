"""
Learning from a file that need not fit into memory
==================================================

Learn from a file that need not fit into memory, and see how well each batch was foreseen.

.. code-block:: bash

    python examples/out_of_core.py

A CSV file of made-up purchases is written first. `fit_stream` then reads it in batches of
2,000 rows, predicts each before it learns it, and keeps the model that was best on rows held out.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from skgd import GDClassifier, summary
from skgd.streaming import CSVBatches, fit_stream

try:
    import matplotlib.pyplot as plt
except ImportError:  # figures are an extra: pip install "skgd[plot]"
    plt = None


def write(path, n_rows=60_000):
    """Write visits with prices in cents, ages in years and ratings in [0, 5], as they come."""
    rng = np.random.default_rng(0)
    price = np.round(rng.lognormal(8, 1, n_rows))
    age, rating = rng.integers(18, 90, n_rows), rng.uniform(0, 5, n_rows)
    eta = -0.8 * (np.log(price) - 8) + 0.9 * (rating - 2.5) - 0.01 * (age - 50)
    bought = np.where(eta + rng.logistic(size=n_rows) > 0, "yes", "no")
    with open(path, "w", encoding="utf-8") as file:
        file.write("price,age,rating,bought\n")
        file.writelines(
            f"{p:.0f},{a},{r:.2f},{b}\n"
            for p, a, r, b in zip(price, age, rating, bought, strict=True)
        )


def main():
    with tempfile.TemporaryDirectory() as folder:
        path, held_path = Path(folder) / "visits.csv", Path(folder) / "held.csv"
        write(path)
        write(held_path, 5_000)
        held = pd.read_csv(held_path)
        held = held.drop(columns="bought"), held["bought"]
        batches = CSVBatches(path, target="bought", batch_size=2_000)
        model = GDClassifier(random_state=0)
        fit_stream(model, batches, classes=["no", "yes"], validation=held, validate_every=5)
    print(f"{path.name}: {model.history_['rows'][-1]:.0f} rows in {model.n_iter_} batches\n")
    print("  batch  loss before learning  score of rows held out")
    for k in range(4, model.n_iter_, 5):
        ahead, score = (model.history_[name][k] for name in ("progressive", "validation_score"))
        print(f"{k + 1:7d}{ahead:22.4f}{score:24.4f}")
    print(f"\naccuracy on rows held out {model.score(*held):.3f}\n{summary(model)}")
    if plt is not None:
        draw(model.history_)


def draw(history):
    """Draw the loss of each batch before it was learnt, and the loss of rows held out."""
    _, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    axes[0].plot(history["rows"], history["progressive"], ".-")
    axes[0].set(xlabel="rows learnt", ylabel="log loss of the next batch")
    scored = np.isfinite(history["validation_score"])
    axes[1].plot(history["rows"][scored], -history["validation_score"][scored], "o-")
    axes[1].set(xlabel="rows learnt", ylabel="log loss of rows held out")


if __name__ == "__main__":
    main()
