"""How far results can be trusted."""

from keras_dha.evaluation.gate_selector import GateSelector
from keras_dha.evaluation.importance_selector import ImportanceSelector
from keras_dha.evaluation.lasso_selector import LassoSelector
from keras_dha.evaluation.poison_budgets import PoisonBudgets
from keras_dha.evaluation.selection_robustness import selection_robustness
from keras_dha.evaluation.selector import FunctionSelector, Selector
from keras_dha.evaluation.sparse_problem import SparseProblem, sparse_problem

__all__ = [
    "FunctionSelector",
    "GateSelector",
    "ImportanceSelector",
    "LassoSelector",
    "PoisonBudgets",
    "Selector",
    "SparseProblem",
    "selection_robustness",
    "sparse_problem",
]
