"""Numbers about a search."""

from keras_dha.diagnostics.checklist import QUESTIONS, Answer, Question, human_intervention
from keras_dha.diagnostics.decisiveness import (
    NONE_WORDS,
    SKIP_WORDS,
    entropy,
    mean_normalized_entropy,
    normalized_entropy,
    operation_counts,
    share_of,
)
from keras_dha.diagnostics.wiring import loss_minus_entropy
from keras_dha.diagnostics.wiring_evolution import WiringEvolution

__all__ = [
    "NONE_WORDS",
    "QUESTIONS",
    "SKIP_WORDS",
    "Answer",
    "Question",
    "WiringEvolution",
    "entropy",
    "human_intervention",
    "loss_minus_entropy",
    "mean_normalized_entropy",
    "normalized_entropy",
    "operation_counts",
    "share_of",
]
