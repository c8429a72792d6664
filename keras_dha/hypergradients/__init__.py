"""How the held-out loss reaches numbers of the training: one estimator a file."""

from keras_dha.hypergradients.curvature import Curvature, mixed_product
from keras_dha.hypergradients.finite_difference import finite_difference_product
from keras_dha.hypergradients.forward_mode import ForwardMode
from keras_dha.hypergradients.hypergradient import Hypergradient, WeightMove
from keras_dha.hypergradients.hypergradient_descent import HypergradientDescent
from keras_dha.hypergradients.implicit import T1T2, Neumann
from keras_dha.hypergradients.inner_product import dense, inner_product, norm
from keras_dha.hypergradients.one_step import OneStep
from keras_dha.hypergradients.whole_path import WholePath

HYPERGRADIENTS: tuple[type[Hypergradient], ...] = (
    OneStep,
    WholePath,
    T1T2,
    Neumann,
    ForwardMode,
    HypergradientDescent,
)

__all__ = [
    "HYPERGRADIENTS",
    "T1T2",
    "Curvature",
    "ForwardMode",
    "Hypergradient",
    "HypergradientDescent",
    "Neumann",
    "OneStep",
    "WeightMove",
    "WholePath",
    "dense",
    "finite_difference_product",
    "inner_product",
    "mixed_product",
    "norm",
]
