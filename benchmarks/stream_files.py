"""Rows a second from CSV and Parquet files, end to end, and the memory that a stream takes.

    python -m benchmarks.stream_files [--rows 1000000] [--columns 20] [--repeats 3]

Beside skgd: chunks of pandas into scikit-learn's SGDClassifier. Both read the same files in
turn; medians. The last line of each is how far a fresh process grew while it learnt from the
file.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import SGDClassifier

from skgd import GDClassifier
from skgd.streaming import CSVBatches, ParquetBatches, fit_stream

CHUNK = 10_000

# Of Linux: the highest resident size since the process began.
MEMORY = """
import re, sys
import numpy as np
import pyarrow, pyarrow.csv, pyarrow.dataset, pyarrow.parquet
from skgd import GDClassifier
from skgd.streaming import CSVBatches, ParquetBatches, fit_stream

def highest():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

source = {"csv": CSVBatches, "parquet": ParquetBatches}[sys.argv[1]]
before = highest()
est = fit_stream(GDClassifier(), source(sys.argv[2], target="y"), classes=[0, 1])
print(highest() - before, int(est.history_["rows"][-1]))
"""


def write(folder, n_rows, n_columns):
    """Write the same made-up rows as CSV and as Parquet, in parts; return both paths."""
    rng = np.random.default_rng(0)
    paths = Path(folder) / "rows.csv", Path(folder) / "rows.parquet"
    names = [f"x{j}" for j in range(n_columns)]
    writer = None
    for start in range(0, n_rows, 100_000):
        X = rng.standard_normal((min(100_000, n_rows - start), n_columns))
        y = (X[:, 0] + rng.logistic(size=len(X)) > 0).astype(int)
        frame = pd.DataFrame(X, columns=names).assign(y=y)
        frame.to_csv(paths[0], index=False, header=not start, mode="a" if start else "w")
        part = pa.Table.from_pandas(frame)
        writer = writer or pq.ParquetWriter(paths[1], part.schema)
        writer.write_table(part)
    writer.close()
    return paths


def pandas_csv(path):
    """Learn from chunks of pandas."""
    est = SGDClassifier(loss="log_loss", random_state=0)
    for chunk in pd.read_csv(path, chunksize=CHUNK):
        est.partial_fit(chunk.drop(columns="y").to_numpy(), chunk["y"], classes=[0, 1])


def pandas_parquet(path):
    """Learn from record batches, by way of pandas."""
    est = SGDClassifier(loss="log_loss", random_state=0)
    for batch in pq.ParquetFile(path).iter_batches(CHUNK):
        chunk = batch.to_pandas()
        est.partial_fit(chunk.drop(columns="y").to_numpy(), chunk["y"], classes=[0, 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    def stream(source, solver, progressive=True):
        def run(path):
            est = GDClassifier(solver=solver, random_state=0)
            batches = source(path, target="y", batch_size=CHUNK)
            fit_stream(est, batches, classes=[0, 1], progressive=progressive)

        return run

    with tempfile.TemporaryDirectory() as folder:
        csv, parquet = write(folder, options.rows, options.columns)
        for path, source, peer in (
            (csv, CSVBatches, pandas_csv),
            (parquet, ParquetBatches, pandas_parquet),
        ):
            size = path.stat().st_size
            print(f"\n{path.name}: {size / 1e6:.0f} MB, {options.rows} rows")
            runs = {
                "auto, each batch predicted first": stream(source, "auto"),
                "sgd, each batch predicted first": stream(source, "sgd"),
                "sgd": stream(source, "sgd", progressive=False),
                "pandas, SGDClassifier": peer,
            }
            seconds = {name: [] for name in runs}
            for _ in range(options.repeats):
                for name, run in runs.items():
                    begin = time.perf_counter()
                    run(path)
                    seconds[name].append(time.perf_counter() - begin)
            slowest = statistics.median(seconds["pandas, SGDClassifier"])
            for name, found in seconds.items():
                median = statistics.median(found)
                print(f"  {name:34s}{options.rows / median:12.0f} rows/s{slowest / median:8.2f}x")
            command = [sys.executable, "-c", MEMORY, path.suffix[1:], str(path)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env=os.environ
            )
            grown, learnt = map(int, done.stdout.split())
            times = size / max(grown, 1)
            print(f"  memory grew by {grown / 1e6:.0f} MB for {learnt} rows; the file has", end=" ")
            print(f"{times:.1f} times that")


if __name__ == "__main__":
    main()
