"""Optimizers that Keras does not have."""

from keras_dha.optimizers.flat_update import FlatUpdate
from keras_dha.optimizers.momentum_sgd import MomentumSGD
from keras_dha.optimizers.selective_update import SelectiveUpdate

__all__ = ["FlatUpdate", "MomentumSGD", "SelectiveUpdate"]
