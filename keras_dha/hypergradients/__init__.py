"""How the held-out loss reaches numbers of the update rule."""

from keras_dha.hypergradients.one_step import inner_product, learning_rate_gradient, weight_decay_gradient

__all__ = ["inner_product", "learning_rate_gradient", "weight_decay_gradient"]
