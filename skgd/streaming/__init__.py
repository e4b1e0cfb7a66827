"""Learning from what does not fit into memory: sources of batches, and a loop over them."""

from ._csv import CSVBatches
from ._fit_stream import fit_stream
from ._parquet import ParquetBatches
from ._sources import ArrayBatches, Batches, Prefetch
from ._sql import SQLBatches
from ._svmlight import SVMLightBatches

__all__ = [
    "ArrayBatches",
    "Batches",
    "CSVBatches",
    "ParquetBatches",
    "Prefetch",
    "SQLBatches",
    "SVMLightBatches",
    "fit_stream",
]
