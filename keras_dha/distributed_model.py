"""What Keras leaves to do for a model that several replicas or workers train."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class DistributedModel(keras.Model):
    """A Keras model whose `fit` runs under `MultiWorkerMirroredStrategy` as well.

    There plain Keras (3.15) takes the mean of a batch outside of a step, of which TensorFlow makes only single tensors,
    and the mean of logs over an axis, which scalars do not have.
    """

    @property
    def on_several_workers(self) -> bool:
        """Whether several processes, of one machine or of several, train this model together."""
        return on_several_workers(self.distribute_strategy)

    def _make_function(self, step_function: Any) -> Any:
        """As in Keras; logs of several workers get an axis, over which Keras then takes their mean."""
        if not self.on_several_workers:
            return super()._make_function(step_function)
        return super()._make_function(lambda data: keras.tree.map_structure(_with_axis, step_function(data)))

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """As in Keras; one of several workers builds by a batch of its own."""
        if iterator is not None and self.on_several_workers:
            _, _, batches = next(iter(iterator))
            data_batch, iterator = keras.tree.map_structure(self._first_of, next(batches)), None
        super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def _first_of(self, value: Any) -> Any:
        return self.distribute_strategy.experimental_local_results(value)[0]

    def save_weights(self, *args: Any, **kwargs: Any) -> Any:
        """As in Keras; also by one of several workers alone."""
        return self._outside_of_scope(super().save_weights, *args, **kwargs)

    def save(self, *args: Any, **kwargs: Any) -> Any:
        """As in Keras; also by one of several workers alone."""
        return self._outside_of_scope(super().save, *args, **kwargs)

    def _outside_of_scope(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Keras makes variables to see what is to be saved, which in the scope all workers would have to make."""
        if not self.on_several_workers:
            return function(*args, **kwargs)
        with ThreadPoolExecutor(1) as another_thread:  # each thread has a scope of its own
            return another_thread.submit(function, *args, **kwargs).result()

    def average_replicas(self) -> None:
        """Makes what each replica moves by itself, such as moving statistics, the mean of all; outside of graphs."""
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return
        floats = [v for v in self._moved_apart() if keras.backend.is_float_dtype(v.dtype)]
        means = []
        for variable in floats:
            parts = strategy.experimental_local_results(variable.value)
            means.append(sum(part.numpy() for part in parts) / len(parts))
        for variable, mean in zip(floats, self._mean_of_workers(means)):
            variable.assign(mean)

    def _moved_apart(self) -> list[keras.Variable]:
        """What each replica moves by itself: by default nothing."""
        return []

    def _mean_of_workers(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The mean of what each worker gives, in one exchange."""
        if not self.on_several_workers or not arrays:
            return arrays
        strategy = self.distribute_strategy
        own = tf.constant(np.concatenate([np.ravel(array) for array in arrays]))
        each = tf.function(lambda: strategy.run(lambda: tf.identity(own)), autograph=False)()
        mean = strategy.reduce("MEAN", each, axis=None).numpy()
        cuts = np.cumsum([np.size(array) for array in arrays])[:-1]
        return [part.reshape(np.shape(array)) for part, array in zip(np.split(mean, cuts), arrays)]


def on_several_workers(strategy: tf.distribute.Strategy) -> bool:
    """Whether a strategy has several processes train a model together."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return False
    return sum(len(tasks) for tasks in strategy.cluster_resolver.cluster_spec().as_dict().values()) > 1


def _with_axis(value: Any) -> Any:
    return value[None] if value.shape.rank == 0 else value
