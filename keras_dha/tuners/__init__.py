"""Searches where gradients do not reach, or memory does not suffice. Needs the extra `tuner`."""

try:
    import keras_tuner as _keras_tuner  # noqa: F401
except ImportError as error:
    raise ImportError("keras_dha.tuners needs KerasTuner: pip install 'keras-dha[tuner]'.") from error

from keras_dha.tuners.byte_sizes import bytes_of
from keras_dha.tuners.encodings import CellPaths, Encoding, OneHot
from keras_dha.tuners.parzen import ParzenOracle
from keras_dha.tuners.path_controller import PathController
from keras_dha.tuners.path_model import PathModel
from keras_dha.tuners.point_oracle import PointOracle
from keras_dha.tuners.points import Points, key_of
from keras_dha.tuners.radars_tuner import RadarsTuner
from keras_dha.tuners.regularized_evolution import RegularizedEvolutionOracle
from keras_dha.tuners.space_hyper_model import SpaceHyperModel
from keras_dha.tuners.space_pruning import Pruning, SpacePruning
from keras_dha.tuners.trial_chooser import TrialChooser, decisions_of, hyperparameters_of
from keras_dha.tuners.weak_predictor import WeakPredictorOracle
from keras_dha.tuners.workers import Workers

__all__ = [
    "CellPaths",
    "Encoding",
    "OneHot",
    "ParzenOracle",
    "PathController",
    "PathModel",
    "PointOracle",
    "Points",
    "Pruning",
    "RadarsTuner",
    "RegularizedEvolutionOracle",
    "SpaceHyperModel",
    "SpacePruning",
    "TrialChooser",
    "WeakPredictorOracle",
    "Workers",
    "bytes_of",
    "decisions_of",
    "hyperparameters_of",
    "key_of",
]
