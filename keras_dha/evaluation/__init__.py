"""What a search, or a selection, is worth: against chance, and under poisoned data."""

from keras_dha.evaluation.best_practices import Practice, best_practices
from keras_dha.evaluation.gate_selector import GateSelector
from keras_dha.evaluation.importance_selector import ImportanceSelector
from keras_dha.evaluation.inherited_network import inherited_network, recalibrate
from keras_dha.evaluation.lasso_selector import LassoSelector
from keras_dha.evaluation.poison_budgets import PoisonBudgets
from keras_dha.evaluation.protocol import EvaluationData, Protocol
from keras_dha.evaluation.ranks import RepeatedTraining, best_and_last, kendall_tau, random_search, repeated_training
from keras_dha.evaluation.relative_improvement import Group, RelativeImprovement, relative_improvement
from keras_dha.evaluation.selection_robustness import selection_robustness
from keras_dha.evaluation.selector import FunctionSelector, Selector
from keras_dha.evaluation.sparse_problem import SparseProblem, sparse_problem
from keras_dha.evaluation.study import SearchStudy
from keras_dha.evaluation.summary import summary_of

__all__ = [
    "EvaluationData",
    "FunctionSelector",
    "GateSelector",
    "Group",
    "ImportanceSelector",
    "LassoSelector",
    "PoisonBudgets",
    "Practice",
    "Protocol",
    "RelativeImprovement",
    "RepeatedTraining",
    "SearchStudy",
    "Selector",
    "SparseProblem",
    "best_and_last",
    "best_practices",
    "inherited_network",
    "kendall_tau",
    "random_search",
    "recalibrate",
    "relative_improvement",
    "repeated_training",
    "selection_robustness",
    "sparse_problem",
    "summary_of",
]
