"""Searches where gradients do not reach, or memory does not suffice."""

from keras_dha.tuners.byte_sizes import bytes_of
from keras_dha.tuners.path_controller import PathController
from keras_dha.tuners.path_model import PathModel
from keras_dha.tuners.radars_tuner import RadarsTuner
from keras_dha.tuners.space_pruning import Pruning, SpacePruning

__all__ = ["PathController", "PathModel", "Pruning", "RadarsTuner", "SpacePruning", "bytes_of"]
