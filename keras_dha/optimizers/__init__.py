"""Optimizers that Keras does not have, and what a search does with an optimizer's step."""

from keras_dha.optimizers.flat_update import FlatUpdate
from keras_dha.optimizers.momentum_sgd import MomentumSGD
from keras_dha.optimizers.scaled_schedule import ScaledSchedule
from keras_dha.optimizers.selective_update import SelectiveUpdate
from keras_dha.optimizers.update_rules import Settings, UpdateRule, rule_of, slots_of

__all__ = [
    "FlatUpdate",
    "MomentumSGD",
    "ScaledSchedule",
    "SelectiveUpdate",
    "Settings",
    "UpdateRule",
    "rule_of",
    "slots_of",
]
