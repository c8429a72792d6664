"""A learned rate of dropout."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from keras_dha.hyperparameters.loss_hyperparameter import LossHyperparameter


@keras.saving.register_keras_serializable(package="keras_dha")
class DropoutRate(LossHyperparameter):
    """The rate of the network's `keras.layers.Dropout` layers, in place of their own.

    What is dropped is drawn, and the gradient for the rate is that of a relaxed draw: see
    `keras_dha.layers.LearnedDropout`. Of held-out examples nothing is dropped, or every rate would only cost. The
    derived model has layers with the rate that was learned.

    Args:
        initial: The rate at the start. Defaults to 0.1.
        bounds: Lowest and highest rate, `0 < low < high < 1`. Defaults to (1e-3, 0.9).
        space: `"logit"`, `"log"` or `"raw"`. Defaults to `"logit"`.
        where: The layers, as `Hyperparameter` has it, by their names. Defaults to all.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`; from `SearchModel`, if the network has no such layers.

    Reference: the relaxed draw is that of Gal, Hron, Kendall, "Concrete Dropout", arXiv 1705.07832.
    """

    def __init__(
        self,
        initial: float = 0.1,
        bounds: Sequence[float] = (1e-3, 0.9),
        *,
        space: str = "logit",
        where: Any = None,
        max_step: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, where=where, max_step=max_step, **kwargs)
        self.drops = True

    def acts_on(self, weight: keras.Variable) -> bool:
        """On no weight: layers take it."""
        return False

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Nothing is dropped in graphs that are made inside."""
        self.drops = False
        try:
            yield
        finally:
            self.drops = True
