"""How the held-out loss reaches numbers of the update rule."""

from keras_dha.hypergradients.one_step import inner_product, learning_rate_gradient, weight_decay_gradient
from keras_dha.hypergradients.unrolled import exact_product, finite_difference_product

__all__ = [
    "exact_product",
    "finite_difference_product",
    "inner_product",
    "learning_rate_gradient",
    "weight_decay_gradient",
]
