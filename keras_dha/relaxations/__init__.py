"""How a choice is made soft: one relaxation a file. A new one is added to `RELAXATIONS`, and is then tested."""

from keras_dha.relaxations.one_hot_sample import OneHotSample
from keras_dha.relaxations.relaxation import Relaxation
from keras_dha.relaxations.softmax import Softmax
from keras_dha.relaxations.sparse_code import SparseCode

RELAXATIONS: tuple[type[Relaxation], ...] = (OneHotSample, Softmax, SparseCode)

__all__ = ["OneHotSample", "Relaxation", "Softmax", "SparseCode"]
