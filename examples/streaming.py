"""Learn from a CSV file that is read in chunks, and see the accuracy grow.

    python examples/streaming.py

The file is written first, from scikit-learn's handwritten digits (64 raw pixel counts, ten
classes, in the order in which the writers filled in their forms). Then it is read 100 rows
at a time, as one would read a file that does not fit into memory. Every chunk is first
predicted, then learned from, so each prediction is for rows the model has never seen: the
running share of right ones is the progressive accuracy.
"""

import tempfile
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_digits

from skgd import GDClassifier

CHUNK = 100


def write_stream(path):
    """Write the digits as a CSV file with the label in the last column."""
    digits = load_digits(as_frame=True)
    digits.frame.to_csv(path, index=False)
    return digits.target_names


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.csv"
        classes = write_stream(path)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB, read {CHUNK} rows at a time\n")

        model = GDClassifier(random_state=0)
        tested = right = 0
        print(f"{'rows tested':>11}{'this chunk':>12}{'progressive accuracy':>22}")
        for number, chunk in enumerate(pd.read_csv(path, chunksize=CHUNK)):
            X, y = chunk.drop(columns="target"), chunk["target"]
            if number > 0:  # before the first chunk there is nothing to predict with
                hits = (model.predict(X) == y).sum()
                tested, right = tested + len(y), right + hits
                print(f"{tested:>11}{hits / len(y):>12.1%}{right / tested:>22.1%}")
            # A stream cannot know its classes beforehand, so the first call names them all.
            model.partial_fit(X, y, classes=classes)


if __name__ == "__main__":
    main()
