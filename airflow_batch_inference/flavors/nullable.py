"""pandas' own types for columns with nulls, apart from :mod:`~.frames`: most models are scored without pandas."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
"""A null beside a row must not make 270 of it 270.0."""
