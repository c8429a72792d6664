"""A system known from measurements alone."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_dha.control.dynamics import Dynamics

_SMALLEST = 1e-6  # of a deviation: what never changed is not blown up


@dataclasses.dataclass(frozen=True)
class Scales:
    """Means and deviations of what a network reads, and of what it predicts.

    Args:
        mean: Of states and actions, shape `(num_states + num_actions,)`.
        deviation: Likewise, above 0.
        mean_change: Of how much a step changes a state, shape `(num_states,)`.
        deviation_of_change: Likewise, above 0.
    """

    mean: np.ndarray
    deviation: np.ndarray
    mean_change: np.ndarray
    deviation_of_change: np.ndarray

    @classmethod
    def of(cls, states: np.ndarray, actions: np.ndarray, later: np.ndarray) -> "Scales":
        """Those of measurements, shapes `(rows, ...)`."""
        moments = [
            moment
            for rows in (np.concatenate([states, actions], axis=-1), later - states)
            for moment in (rows.mean(axis=0), np.maximum(rows.std(axis=0), _SMALLEST))
        ]
        return cls(*moments)

    def inputs(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """What a network reads: float32, `(..., num_states + num_actions)`, of mean 0 and deviation 1."""
        return ((np.concatenate([states, actions], axis=-1) - self.mean) / self.deviation).astype("float32")

    def targets(self, states: np.ndarray, later: np.ndarray) -> np.ndarray:
        """What it is to predict: float32, `(..., num_states)`, of mean 0 and deviation 1."""
        return ((later - states - self.mean_change) / self.deviation_of_change).astype("float32")

    def differs(self, other: "Scales", factor: float) -> bool:
        """Whether a deviation is `factor` times the other's, or more; or as much less."""
        pairs = ((self.deviation, other.deviation), (self.deviation_of_change, other.deviation_of_change))
        return any(np.abs(np.log(one / another)).max() >= np.log(factor) for one, another in pairs)


class LearnedDynamics(Dynamics):
    """A network `g` of how much a step changes a state: `f(x, u) = x + m + s g((z - mean) / deviation)`, `z = (x, u)`.

    Its Jacobian is the network's, with layers such as batch normalization in inference mode, so that the rows of a
    batch do not mix.

    Args:
        network: A Keras model from `(batch, num_states + num_actions)` to `(batch, num_states)`, trained in place.
        num_states: Numbers in a state.
        learning_rate: Of Adam. Defaults to 2e-3.
        batch_size: Rows in a step of training; all, if there are fewer. Defaults to 256.
        seed: Of the order of rows. Defaults to 0.

    Attributes:
        scales: `Scales` of what the network reads and gives; None before `adapt`.

    Raises:
        ValueError: If the network has other sizes; if it is asked before `adapt`.

    Reference: Neural-iLQR, arXiv 2011.10737, whose network predicts the next state, as it is. That of standardized
    data predicts the same, and learns it faster.
    """

    def __init__(
        self,
        network: keras.Model,
        num_states: int,
        *,
        learning_rate: float = 2e-3,
        batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        read, given = network.input_shape, network.output_shape
        if len(read) != 2 or given != (None, num_states) or read[1] <= num_states:
            raise ValueError(
                f"The network must read states and actions, and give {num_states} numbers. "
                f"Received: input_shape={read}, output_shape={given}. Make it for the system."
            )
        self.network, self.num_states, self.num_actions = network, num_states, read[1] - num_states
        self.scales: Scales | None = None
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(network.trainable_variables)
        self._batch_size, self._seed, self._epochs_done = int(batch_size), int(seed), 0
        rows, number = tf.TensorSpec((None, read[1])), tf.TensorSpec((), "int32")
        self._predict = tf.function(self._outputs, autograph=False).get_concrete_function(rows)
        self._derive = tf.function(self._derivatives, autograph=False).get_concrete_function(rows)
        arguments = rows, tf.TensorSpec((None, num_states)), number, number
        self._train = tf.function(self._epochs).get_concrete_function(*arguments)

    def adapt(self, states: np.ndarray, actions: np.ndarray, later: np.ndarray, *, factor: float = 2.0) -> bool:
        """Takes the scales of measurements, if there are none yet or a deviation has changed by `factor`.

        Returns:
            Whether it did. Then the network means something else, and has to be trained anew.
        """
        scales = Scales.of(states, actions, later)
        if self.scales is not None and not scales.differs(self.scales, factor):
            return False
        self.scales = scales
        return True

    def fit(self, states: np.ndarray, actions: np.ndarray, later: np.ndarray, *, epochs: int) -> float:
        """Trains the network, from its weights as they are.

        Args:
            states: Shape `(rows, num_states)`.
            actions: Shape `(rows, num_actions)`.
            later: The states one step later, shape `(rows, num_states)`.
            epochs: Passes over the rows, in random order.

        Returns:
            The mean squared error of standardized changes in the last epoch.
        """
        scales = self._known_scales()
        x, y = scales.inputs(states, actions), scales.targets(states, later)
        loss = self._train(tf.constant(x), tf.constant(y), tf.constant(epochs), tf.constant(self._epochs_done))
        self._epochs_done += epochs
        return float(loss)

    def step(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """What the network expects."""
        scales = self._known_scales()
        x = scales.inputs(states, actions)
        change = self._predict(tf.constant(x.reshape(-1, x.shape[-1]))).numpy().reshape(np.shape(states))
        return states + scales.mean_change + scales.deviation_of_change * change

    def jacobian(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """`I + s dg/dz / deviation`: that of the network for its inputs, by automatic differentiation."""
        scales = self._known_scales()
        x = scales.inputs(states, actions)
        found = self._derive(tf.constant(x.reshape(-1, x.shape[-1]))).numpy().astype(float)
        found = found * scales.deviation_of_change[:, None] / scales.deviation
        found[..., range(self.num_states), range(self.num_states)] += 1.0
        return found.reshape(*x.shape[:-1], *found.shape[1:])

    def _known_scales(self) -> Scales:
        if self.scales is None:
            raise ValueError("Measurements must be seen first. Received: scales=None. Call adapt, then fit.")
        return self.scales

    def _outputs(self, x: tf.Tensor) -> tf.Tensor:
        return self.network(x, training=False)

    def _derivatives(self, x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self._outputs(x)
        return tape.batch_jacobian(y, x)

    def _epochs(self, x: tf.Tensor, y: tf.Tensor, epochs: tf.Tensor, done: tf.Tensor) -> tf.Tensor:
        """All steps in one graph: a step is too small for the way in and out of it."""
        rows = tf.shape(x)[0]
        size = tf.minimum(self._batch_size, rows)
        batches, mean = rows // size, 0.0
        for epoch in tf.range(epochs):
            seed = tf.stack([self._seed, done + epoch])
            order = tf.random.experimental.stateless_shuffle(tf.range(rows), seed=seed)
            total = 0.0
            for batch in tf.range(batches):
                chosen = order[batch * size : (batch + 1) * size]
                total += self._train_step(tf.gather(x, chosen), tf.gather(y, chosen))
            mean = total / tf.cast(batches, "float32")
        return mean

    def _train_step(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        variables = self.network.trainable_variables
        with tf.GradientTape() as tape:
            error = tf.reduce_mean((self.network(x, training=True) - y) ** 2)
        self._optimizer.apply(tape.gradient(error, variables), variables)
        return error
