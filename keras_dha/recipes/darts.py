"""DARTS: the architecture as a softmax, by gradient of a held-out loss (arXiv 1806.09055)."""

import keras

from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import Softmax
from keras_dha.schedules import Schedule

_PRODUCTS = {"finite_difference": "unrolled", "exact": "unrolled_exact"}


def darts(*, order: int = 1, product: str = "finite_difference") -> Recipe:
    """DARTS: Differentiable Architecture Search.

    Every step: the logits descend the loss of a held-out batch, then the weights descend the loss of a training batch.
    All options of a choice run, weighted by a softmax.

    Args:
        order: 1: the held-out loss at the weights as they are. 2: at the weights one step of SGD on, through that step;
            such a step costs about four of the first order, on one replica only.
        product: How the second order finds the derivative of the step: by `"finite_difference"`, as the paper, or
            `"exact"`, by a second derivative, which takes more memory.

    Where we differ: the best options settle inside the same fit, with their weights, where the paper trains the cell
    again from scratch; the learning rate is constant in the search, and annealed afterwards; logits start at 0, not at
    `1e-3 * N(0, 1)`; weight decay is decoupled. The paper halves the training data: `fit(..., held_out=0.5)`.

    Raises:
        ValueError: If `order` is neither 1 nor 2, or `product` is unknown.

    Reference: Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", https://arxiv.org/abs/1806.09055, and
    its released code.
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2. Received: order={order!r}. 1 is the cheaper one.")
    if product not in _PRODUCTS:
        raise ValueError(f"product must be one of {tuple(_PRODUCTS)}. Received: product={product!r}. Correct it.")
    return Recipe(
        name="darts",
        source="arXiv 1806.09055",
        relaxation=Softmax(),
        augmentation=None,
        hyperparameters=(),
        schedule=Schedule(search_fraction=0.5, warmup_fraction=0.0),
        optimizer=lambda: keras.optimizers.SGD(0.025, momentum=0.9, weight_decay=3e-4, global_clipnorm=5.0),
        architecture_optimizer=lambda: keras.optimizers.Adam(3e-4, beta_1=0.5, weight_decay=1e-3),
        augmentation_optimizer=lambda: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
        hyperparameter_optimizer=lambda: keras.optimizers.Adam(0.01),
        architecture_loss="held_out" if order == 1 else _PRODUCTS[product],
    )
