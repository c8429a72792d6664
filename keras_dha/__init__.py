"""One `model.fit` searches augmentation, hyper-parameters and architecture, and hands back a plain trained Keras model.

Names are imported when they are first used, so that `import keras_dha` alone loads neither Keras nor TensorFlow.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_dha import augmentation as augmentation
    from keras_dha import channels as channels
    from keras_dha import costs as costs
    from keras_dha import data as data
    from keras_dha import diagnostics as diagnostics
    from keras_dha import evaluation as evaluation
    from keras_dha import hypergradients as hypergradients
    from keras_dha import hyperparameters as hyperparameters
    from keras_dha import layers as layers
    from keras_dha import optimizers as optimizers
    from keras_dha import penalties as penalties
    from keras_dha import recipes as recipes
    from keras_dha import relaxations as relaxations
    from keras_dha import reports as reports
    from keras_dha import roles as roles
    from keras_dha import schedules as schedules
    from keras_dha import spaces as spaces
    from keras_dha import tuners as tuners
    from keras_dha.search_model import SearchModel as SearchModel
    from keras_dha.spaces import Choice as Choice
    from keras_dha.spaces import Chooser as Chooser
    from keras_dha.spaces import Decisions as Decisions
    from keras_dha.spaces import SearchSpace as SearchSpace

__version__ = "0.1.0"

_CLASSES = {
    "Choice": "keras_dha.spaces",
    "Chooser": "keras_dha.spaces",
    "Decisions": "keras_dha.spaces",
    "SearchModel": "keras_dha.search_model",
    "SearchSpace": "keras_dha.spaces",
}

__all__ = [
    "Choice",
    "Chooser",
    "Decisions",
    "SearchModel",
    "SearchSpace",
    "augmentation",
    "channels",
    "costs",
    "data",
    "diagnostics",
    "evaluation",
    "hypergradients",
    "hyperparameters",
    "layers",
    "optimizers",
    "penalties",
    "recipes",
    "relaxations",
    "reports",
    "roles",
    "schedules",
    "spaces",
]
_OPTIONAL = ("tuners",)  # needs an extra: `from keras_dha import *` must not


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        value = getattr(importlib.import_module(_CLASSES[name]), name)
    elif name in __all__ or name in _OPTIONAL:
        value = importlib.import_module(f"keras_dha.{name}")
    else:
        raise AttributeError(f"module 'keras_dha' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_OPTIONAL})


if "tensorflow" in sys.modules:  # Keras is in use: register the classes, so that keras.models.load_model knows them
    importlib.import_module("keras_dha.search_model")
