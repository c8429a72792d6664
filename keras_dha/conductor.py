"""The callback that leads a search model through its two phases."""

import math
import time
import warnings
from typing import Any

import keras

from keras_dha.data import PairedData
from keras_dha.last_good_state import LastGoodState


class Conductor(keras.callbacks.Callback):
    """Moves the progress of a fit, ends the search, keeps the time budget, and logs what is decided.

    A loss that is not finite, or anything that is not at the end of an epoch, has the model go back to the beginning of
    the epoch; training goes on with the next batches.

    Args:
        data: The fit's data.
        epochs: Epochs of the whole fit.
        time_budget: Seconds for the whole fit, or None.
        started: `time.monotonic()` at the start of the fit.
    """

    def __init__(self, data: PairedData, epochs: int, time_budget: float | None, started: float) -> None:
        super().__init__()
        self._data = data
        self._epochs = epochs
        self._time_budget = time_budget
        self._started = started
        self._spent_before: float | None = None  # of a fit that is taken up again; known when all is restored
        self._epoch = 0
        self._epoch_end_seconds = 0.0
        self._good: LastGoodState | None = None
        self._steps = 0  # since metrics began anew

    @property
    def _elapsed(self) -> float:
        return (self._spent_before or 0.0) + time.monotonic() - self._started

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes up a restored state, and moves the data to this epoch."""
        if self._spent_before is None:
            self._spent_before = float(self.model.seconds.numpy())
        self._epoch = epoch
        if self.model.goes_back:
            self._good = self._good or LastGoodState(self.model)
            self._good.keep(epoch)
        self._steps = 0
        self.model.synchronize()
        if self.model.settled:
            self._data.settle()
        self._data.set_epoch(epoch)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the progress, and ends the search when its part of the fit is over."""
        done = (self._epoch + batch / self._data.steps_per_epoch) / self._epochs
        progress = min(max(done, self._elapsed / self._time_budget if self._time_budget else 0.0), 1.0)
        self.model.progress.assign(progress)
        if not self.model.settled and not self.model.recipe.schedule.searching(progress):
            self._settle()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Goes back if the loss is not finite; stops when only the time of an epoch's end is left of the budget."""
        loss, self._steps = float((logs or {}).get("loss", 0.0)), self._steps + 1
        if not math.isfinite(loss):
            self._go_back(f"loss={loss} in epoch {self._epoch + 1}, at batch {batch + 1}")
        if self._time_budget and self._elapsed + self._epoch_end_seconds >= self._time_budget:
            self.model.stop_training = True
            self._settle()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts to measure what an epoch's end costs."""
        self.model.average_replicas()
        self._test_started = time.monotonic()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Keeps the longest time that a validation took."""
        self._epoch_end_seconds = max(self._epoch_end_seconds, time.monotonic() - self._test_started)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Lets relaxations take stock, and logs what is decided so far."""
        self.model.average_replicas()
        if self._good is not None and (broken := self._good.broken()):
            self._go_back(f"what is not finite after epoch {epoch + 1}, {', '.join(broken[:3])}")
        if logs is not None and not self._steps:  # no step is left to be told of
            logs.update({name: math.nan for name in logs if not name.startswith("val_")})
        if not self.model.settled and self.model.end_search_epoch():
            self._settle()
        self.model.seconds.assign(self._elapsed)
        if logs is not None:
            logs.update(self.model.state_of_search())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """A fit ends settled, however it ended."""
        self._settle()
        self.model.progress.assign(1.0)

    def _go_back(self, found: str) -> None:
        if self._good is not None:
            warnings.warn(self._good.go_back(found), stacklevel=2)
            self._steps = 0

    def _settle(self) -> None:
        if not self.model.settled:
            for trouble in self.model.troubles():
                warnings.warn(trouble, stacklevel=2)
            self.model.settle()
            self._data.settle()
