"""A Keras model of two phases, and what of it is saved."""

from typing import Any

import keras

from keras_dha.distributed_model import DistributedModel
from keras_dha.supernet import Supernet

_RANDOM = "random_"  # before the number of a generator's state in a file


class PhasedModel(DistributedModel):
    """The state of a search, and graphs that follow it.

    The phase is a variable, so that it is saved with the weights; graphs hold what they were traced with. Whatever
    moves the phase calls `synchronize`, which has them traced anew.
    """

    supernet: Supernet | None
    augmentation: keras.layers.Layer | None
    goes_back: bool = True  # to the last good state, when a number of a fit is not finite

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.progress = self._state("progress")
        self.seconds = self._state("seconds")
        self.phase = self._state("phase")
        self.steps = self._state("steps", dtype="int64")
        self._settled_in_graph = False

    def _state(self, name: str, dtype: str = "float32", start: float = 0.0) -> keras.Variable:
        start_at = keras.initializers.Constant(start)
        return self.add_weight(shape=(), initializer=start_at, trainable=False, dtype=dtype, name=name)

    @property
    def settled(self) -> bool:
        """Whether the decisions are fixed for good."""
        return number(self.phase) == 1

    def settle(self) -> None:
        """Fixes the decisions as the logits stand; the next graphs run the kept branches only."""
        with self.distribute_strategy.scope():
            if not self.settled:
                self.end_search()
            self.phase.assign(1)
            self.synchronize()

    def end_search(self) -> None:
        """Called once before the decisions are fixed. Does nothing, unless overridden."""

    def synchronize(self, *, anew: bool = False) -> None:
        """Makes the graphs agree with the phase, which a restored checkpoint may have moved.

        Args:
            anew: Whether the logits may have changed since the graphs were settled.
        """
        settled = self.settled
        if settled == self._settled_in_graph and not (anew and settled):
            return
        if self.supernet is not None:
            self.supernet.settle() if settled else self.supernet.reopen()
        if self.augmentation is not None:
            self.augmentation.set_phase(settled=settled)
        self._settled_in_graph = settled
        self.test_function = self.predict_function = None
        if self.train_function is not None:
            self.make_train_function(force=True)

    def make_train_function(self, force: bool = False) -> Any:
        """As in Keras, for the phase as it is."""
        self.synchronize()
        return super().make_train_function(force=force)

    def make_test_function(self, force: bool = False) -> Any:
        """As in Keras, for the phase as it is."""
        self.synchronize()
        return super().make_test_function(force=force)

    def make_predict_function(self, force: bool = False) -> Any:
        """As in Keras, for the phase as it is."""
        self.synchronize()
        return super().make_predict_function(force=force)

    def set_weights(self, weights: Any) -> None:
        """As in Keras; the phase may move."""
        with self.distribute_strategy.scope():
            super().set_weights(weights)
            self.synchronize(anew=True)

    def load_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """As in Keras; the phase may move."""
        with self.distribute_strategy.scope():
            super().load_weights(filepath, *args, **kwargs)
            self.synchronize(anew=True)

    def save_own_variables(self, store: Any) -> None:
        """Saves, unlike Keras, the states of the network's random generators too, such as those of its dropout."""
        super().save_own_variables(store)
        for i, state in enumerate(self._random_states()):
            store[f"{_RANDOM}{i}"] = state.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved."""
        super().load_own_variables({key: store[key] for key in store.keys() if not key.startswith(_RANDOM)})  # noqa: SIM118
        for i, state in enumerate(self._random_states()):
            state.assign(store[f"{_RANDOM}{i}"])

    def _random_states(self) -> list[keras.Variable]:
        known = {id(variable) for variable in self.weights}
        return [variable for variable in self.variables if id(variable) not in known]


def number(variable: keras.Variable) -> float:
    """The value of a scalar variable, outside of graphs; also of one that is mirrored on replicas."""
    return float(variable.numpy())
