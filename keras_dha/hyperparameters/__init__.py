"""Learned numbers of the update rule: one a file."""

from keras_dha.hyperparameters.hyperparameter import Hyperparameter
from keras_dha.hyperparameters.learning_rate import LearningRate
from keras_dha.hyperparameters.weight_decay import WeightDecay
from keras_dha.hyperparameters.weight_step import WeightStep

HYPERPARAMETERS: tuple[type[Hyperparameter], ...] = (LearningRate, WeightDecay)

__all__ = ["HYPERPARAMETERS", "Hyperparameter", "LearningRate", "WeightDecay", "WeightStep"]
