"""Searches where gradients do not reach."""

from keras_dha.tuners.byte_sizes import bytes_of
from keras_dha.tuners.path_controller import PathController
from keras_dha.tuners.space_pruning import Pruning, SpacePruning

__all__ = ["PathController", "Pruning", "SpacePruning", "bytes_of"]
