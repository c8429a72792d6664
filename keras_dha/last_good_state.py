"""What a fit goes back to when a number is not finite any more."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.safe_backup import trained_state


class LastGoodState:
    """All that training moves, as it was when it was last found finite.

    Weights, moving statistics, logits, hyper-parameters, policy, slots of optimizers, states of random generators and
    the phase; not metrics. Kept in the host's memory: as much again as model and optimizers take.

    Args:
        model: A compiled search model.
        most: How often a fit may go back before it ends with an error.

    Attributes:
        count: How often it went back.
    """

    def __init__(self, model: Any, most: int = 3) -> None:
        self.most, self.count = most, 0
        self._model = model
        self._kept: list[tuple[keras.Variable, np.ndarray]] = []
        self._when = 0

    def keep(self, epoch: int) -> None:
        """Keeps the state as it is.

        Args:
            epoch: The number of the epoch that begins, from 0.
        """
        self._kept = [(variable, ops.convert_to_numpy(variable)) for variable in trained_state(self._model)]
        self._when = epoch

    def broken(self) -> list[str]:
        """The paths of what is not finite now."""
        floats = [v for v in trained_state(self._model) if keras.backend.is_float_dtype(v.dtype)]
        return [v.path for v in floats if not np.isfinite(ops.convert_to_numpy(v)).all()]

    def go_back(self, found: str) -> str:
        """Puts the kept state back.

        Args:
            found: What was not finite, and where.

        Returns:
            What to tell the user.

        Raises:
            FloatingPointError: If it has gone back as often as it may; the state is the kept one then, too.
        """
        with self._model.distribute_strategy.scope():
            for variable, value in self._kept:
                variable.assign(value)
        self._model.synchronize(anew=True)
        self._model.reset_metrics()
        self.count += 1
        what = f"All numbers of a training must be finite. Received: {found}."
        back = f"The model is as it was before epoch {self._when + 1}"
        if self.count > self.most:
            raise FloatingPointError(
                f"{what} {back}, to which it went back {self.most} times before. Lower the learning rate (now "
                f"{self._learning_rate():.3g}), clip gradients (global_clipnorm of the optimizer), or look for "
                "examples that are not finite or far off."
            )
        return f"{what} {back}; training goes on from there, for the {self.count}. time of {self.most}."

    def _learning_rate(self) -> float:
        return float(ops.convert_to_numpy(self._model._learning_rate()))
