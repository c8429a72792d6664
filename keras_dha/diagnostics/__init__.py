"""Numbers about a search."""

from keras_dha.diagnostics.decisiveness import (
    NONE_WORDS,
    SKIP_WORDS,
    entropy,
    mean_normalized_entropy,
    normalized_entropy,
    operation_counts,
    share_of,
)

__all__ = [
    "NONE_WORDS",
    "SKIP_WORDS",
    "entropy",
    "mean_normalized_entropy",
    "normalized_entropy",
    "operation_counts",
    "share_of",
]
