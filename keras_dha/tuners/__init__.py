"""KerasTuner: oracles and a hypermodel for what gradients do not reach. Needs the extra `tuner`."""

try:
    import keras_tuner as _keras_tuner  # noqa: F401
except ImportError as error:
    raise ImportError("keras_dha.tuners needs KerasTuner: pip install 'keras-dha[tuner]'.") from error

from keras_dha.tuners.encodings import CellPaths, Encoding, OneHot
from keras_dha.tuners.parzen import ParzenOracle
from keras_dha.tuners.point_oracle import PointOracle
from keras_dha.tuners.points import Points, key_of
from keras_dha.tuners.regularized_evolution import RegularizedEvolutionOracle
from keras_dha.tuners.space_hyper_model import SpaceHyperModel
from keras_dha.tuners.trial_chooser import TrialChooser, decisions_of, hyperparameters_of
from keras_dha.tuners.weak_predictor import WeakPredictorOracle
from keras_dha.tuners.workers import Workers

__all__ = [
    "CellPaths",
    "Encoding",
    "OneHot",
    "ParzenOracle",
    "PointOracle",
    "Points",
    "RegularizedEvolutionOracle",
    "SpaceHyperModel",
    "TrialChooser",
    "WeakPredictorOracle",
    "Workers",
    "decisions_of",
    "hyperparameters_of",
    "key_of",
]
