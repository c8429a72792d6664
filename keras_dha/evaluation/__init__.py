"""What a search is worth: against chance."""

from keras_dha.evaluation.best_practices import Practice, best_practices
from keras_dha.evaluation.inherited_network import inherited_network, recalibrate
from keras_dha.evaluation.protocol import EvaluationData, Protocol
from keras_dha.evaluation.ranks import RepeatedTraining, best_and_last, kendall_tau, random_search, repeated_training
from keras_dha.evaluation.relative_improvement import Group, RelativeImprovement, relative_improvement
from keras_dha.evaluation.study import SearchStudy
from keras_dha.evaluation.summary import summary_of

__all__ = [
    "EvaluationData",
    "Group",
    "Practice",
    "Protocol",
    "RelativeImprovement",
    "RepeatedTraining",
    "SearchStudy",
    "best_and_last",
    "best_practices",
    "inherited_network",
    "kendall_tau",
    "random_search",
    "recalibrate",
    "relative_improvement",
    "repeated_training",
    "summary_of",
]
