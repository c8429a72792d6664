"""Learned numbers of the training: one a file."""

from keras_dha.hyperparameters.dropout_rate import DropoutRate
from keras_dha.hyperparameters.gradient_clip import GradientClip
from keras_dha.hyperparameters.hyperparameter import Hyperparameter
from keras_dha.hyperparameters.l2 import L2
from keras_dha.hyperparameters.label_smoothing import LabelSmoothing
from keras_dha.hyperparameters.learning_rate import LearningRate
from keras_dha.hyperparameters.loss_hyperparameter import LossHyperparameter, TrainingBatch
from keras_dha.hyperparameters.loss_weight import LossWeight
from keras_dha.hyperparameters.momentum import Momentum
from keras_dha.hyperparameters.weight_decay import WeightDecay
from keras_dha.hyperparameters.weight_step import WeightStep

HYPERPARAMETERS: tuple[type[Hyperparameter], ...] = (
    LearningRate,
    WeightDecay,
    Momentum,
    GradientClip,
    L2,
    LabelSmoothing,
    DropoutRate,
    LossWeight,
)

__all__ = [
    "HYPERPARAMETERS",
    "L2",
    "DropoutRate",
    "GradientClip",
    "Hyperparameter",
    "LabelSmoothing",
    "LearningRate",
    "LossHyperparameter",
    "LossWeight",
    "Momentum",
    "TrainingBatch",
    "WeightDecay",
    "WeightStep",
]
