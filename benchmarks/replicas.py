"""Ten steps of each recipe on one replica and on two, for the same global batches.

    python benchmarks/replicas.py

Prints a table: whether the two replicas end with the same weights, bit for bit; and how far the weights, relative to
the largest, are from those of one replica. Recipes that draw branches have equal generators on all replicas, so they
draw the same ones; augmentation is off, for replicas augment apart. Steps are those of SGD, for Adam makes of rounding
in small gradients whole steps.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_dha
from keras_dha import recipes

STEPS, BATCH = 10, 32


def space() -> Any:
    """A stem, two choices of three operations and a head; no normalization, whose statistics replicas have apart."""

    class Small(keras_dha.SearchSpace):
        def build(self, choose: Any) -> keras.Model:
            inputs = keras.Input(self.input_shape)
            x = keras.layers.Conv2D(4, 3, padding="same", activation="tanh")(inputs)
            options = {
                f"conv_{size}": lambda size=size: keras.layers.Conv2D(4, size, padding="same", activation="tanh")
                for size in (1, 3, 5)
            }
            for name in ("first", "second"):
                x = choose.op(name, options)(x)
            return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))

    return Small((8, 8, 1), 3)


def searched(name: str, strategy: tf.distribute.Strategy) -> Any:
    """A model after ten steps."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (STEPS * BATCH, 8, 8, 1), dtype=np.uint8), rng.integers(0, 3, STEPS * BATCH)
    schedule = keras_dha.schedules.Schedule(search_fraction=1.0, warmup_fraction=0.0)
    with strategy.scope():
        model = keras_dha.SearchModel(space(), recipes.RECIPES[name](), augmentation=None, schedule=schedule, seed=0)
        others = ("architecture_optimizer", "hyperparameter_optimizer")
        model.compile(keras.optimizers.SGD(0.05), **{other: keras.optimizers.SGD(0.1) for other in others})
    ends = Stop(STEPS)
    model.fit(x, y, batch_size=BATCH, epochs=1, held_out=(x[:64], y[:64]), callbacks=[ends], verbose=0)
    return ends


class Stop(keras.callbacks.Callback):
    """Keeps all trained numbers of each replica, as they are after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.replicas: list[list[np.ndarray]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keeps them after the last step."""
        if batch + 1 != self.steps:
            return
        strategy = self.model.distribute_strategy
        parts = [strategy.experimental_local_results(v.value) for v in self.model.trainable_variables]
        self.replicas = [[np.asarray(part) for part in replica] for replica in zip(*parts, strict=True)]


def main() -> None:
    """Prints a row a recipe."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    print("| recipe | replicas equal | furthest from one replica |\n|---|---|---|")
    for name in recipes.RECIPES:
        devices = ["CPU:0", "CPU:1"]
        two = tf.distribute.MirroredStrategy(devices, cross_device_ops=tf.distribute.ReductionToOneDevice())
        one_replica, two_replicas = (searched(name, strategy) for strategy in (tf.distribute.get_strategy(), two))
        first, second = two_replicas.replicas
        equal = all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
        (alone,) = one_replica.replicas
        far = max(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6) for a, b in zip(alone, first, strict=True))
        print(f"| `{name}` | {'yes' if equal else 'no'} | {far:.1e} |", flush=True)


if __name__ == "__main__":
    main()
