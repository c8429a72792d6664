"""The callback that leads a search model through its two phases."""

import time
import warnings
from typing import Any

import keras

from keras_dha.data import PairedData


class Conductor(keras.callbacks.Callback):
    """Moves the progress of a fit, ends the search, keeps the time budget, and logs what is decided.

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

    @property
    def _elapsed(self) -> float:
        return (self._spent_before or 0.0) + time.monotonic() - self._started

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes up a restored state, and moves the data to this epoch."""
        if self._spent_before is None:
            self._spent_before = float(self.model.seconds.numpy())
        self._epoch = epoch
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
        """Stops when only the time of an epoch's end is left of the budget."""
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
        if not self.model.settled and self.model.end_search_epoch():
            self._settle()
        self.model.seconds.assign(self._elapsed)
        if logs is not None:
            logs.update(self.model.state_of_search())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """A fit ends settled, however it ended."""
        self._settle()
        self.model.progress.assign(1.0)

    def _settle(self) -> None:
        if not self.model.settled:
            for trouble in self.model.troubles():
                warnings.warn(trouble, stacklevel=2)
            self.model.settle()
            self._data.settle()
