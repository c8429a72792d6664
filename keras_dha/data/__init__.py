"""Data sources, checks, and the split into training and held-out part.

`PairedData` and `reshuffled` need TensorFlow, which is loaded when one of these names is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from keras_dha.data.checks import DataError
from keras_dha.data.sources import Source, load

if TYPE_CHECKING:
    from keras_dha.data.data_summary import ArraySpec as ArraySpec
    from keras_dha.data.data_summary import DataSummary as DataSummary
    from keras_dha.data.paired_data import PairedData as PairedData
    from keras_dha.data.reshuffled import reshuffled as reshuffled

__all__ = ["ArraySpec", "DataError", "DataSummary", "PairedData", "Source", "load", "reshuffled"]

_LATE = {
    "ArraySpec": "keras_dha.data.data_summary",
    "DataSummary": "keras_dha.data.data_summary",
    "PairedData": "keras_dha.data.paired_data",
    "reshuffled": "keras_dha.data.reshuffled",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'keras_dha.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATE[name]), name)
    globals()[name] = value
    return value
