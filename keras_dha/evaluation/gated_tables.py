"""Linear models with gated inputs, one for each of many poisoned tables, trained side by side."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.layers import ChannelGate

Tensor = Any


class GatedTables:
    """Trains gates for `copies` tables, which are one table with a few rows added for a feature of each.

    What is made of Keras is made once; only numbers change from one training to the next.

    Args:
        copies: How many tables, at least 1.
        num_features: Of the table, at least 1.
        num_steps: Of the gates, in full batches.
        weight: Of the sum of `sigmoid(logits)`, beside the mean squared error.
    """

    def __init__(self, copies: int, num_features: int, *, num_steps: int, weight: float) -> None:
        self.shape, self.num_steps = (copies, num_features), num_steps
        inputs = keras.Input((1,))
        self.error = _GatedError(copies, num_features, ChannelGate(num_steps, weight=weight))
        self.model = keras.Model(inputs, self.error(inputs))
        # The slope of a gate is as narrow as its scale is large: a constant rate hops over it, and closes good gates.
        falling = keras.optimizers.schedules.ExponentialDecay(0.05, num_steps, 1e-4)
        optimizer = keras.optimizers.Adam(falling)
        optimizer.build(self.model.trainable_variables)
        at_once = next(size for size in (50, 25, 20, 10, 5, 4, 2, 1) if num_steps % size == 0)
        self.model.compile(optimizer, steps_per_execution=at_once, jit_compile=False)
        moving = [*self.error.gates.variables, *optimizer.variables]
        self._start = [(variable, ops.convert_to_numpy(variable)) for variable in moving]

    def train(
        self, x: np.ndarray, y: np.ndarray, targets: np.ndarray, rows: np.ndarray, *, label: float, ridge: float
    ) -> np.ndarray:
        """Which gates are open, bool `(copies, num_features)`.

        Args:
            x: Float, `(num_rows, num_features)`.
            y: Float, `(num_rows,)`.
            targets: Int, `(copies,)`.
            rows: Int, `(copies,)`.
            label: `y` of the rows that are added.
            ridge: Added to the diagonal of `x' x`.
        """
        for variable, value in self._start:
            variable.assign(value)
        self.error.give(x, y, targets, rows, label, ridge)
        nothing = np.zeros((self.num_steps, 1), "float32")  # all that is to be learned from is in the layer
        self.model.fit(nothing, batch_size=1, shuffle=False, verbose=0)
        return self.error.gates.open_channels().reshape(self.shape)


class _GatedError(keras.layers.Layer):
    """The mean squared error of each table, from `x' x` and `x' y`; its loss is their sum. Only gates are trained."""

    def __init__(self, copies: int, num_features: int, gates: ChannelGate) -> None:
        super().__init__()
        self.gates = gates
        self.gates.build((1, copies * num_features))
        shapes = {
            "gram": (num_features, num_features),
            "cross": (num_features,),  # x' y, without the intercept
            "weights": (copies, num_features),
            "target": (copies, num_features),  # one-hot
            "left": (copies,),  # label - intercept
            "rows": (copies,),
            "square": (copies,),  # sum of (y - intercept)^2
            "means": (num_features,),
            "intercepts": (copies,),
            "count": (),
        }
        self.given = {
            name: self.add_weight(shape=shape, initializer="zeros", trainable=False, dtype="float32", name=name)
            for name, shape in shapes.items()
        }

    def give(
        self, x: np.ndarray, y: np.ndarray, targets: np.ndarray, rows: np.ndarray, label: float, ridge: float
    ) -> None:
        """Takes the tables, and the weights that least squares finds for each of them, with all gates open."""
        weights, intercepts = _least_squares(x, y, targets, rows, label, ridge)
        values = {
            "gram": x.T @ x,
            "cross": x.T @ y,
            "weights": weights,
            "target": np.eye(x.shape[1])[targets],
            "left": label - intercepts,
            "rows": rows,
            "square": (y @ y) - 2.0 * intercepts * y.sum() + len(y) * intercepts**2,
            "means": x.sum(axis=0),
            "intercepts": intercepts,
            "count": len(y),
        }
        for name, value in values.items():
            self.given[name].assign(value)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """The input."""
        given = {name: ops.convert_to_tensor(variable) for name, variable in self.given.items()}
        weights = given["weights"]
        flat = ops.reshape(weights, (1, -1))
        gated = ops.reshape(self.gates(flat, training=training), ops.shape(weights))  # (copies, num_features)
        pulls = given["cross"] - given["intercepts"][:, None] * given["means"]
        own = given["square"] + ops.sum(gated * (ops.matmul(gated, given["gram"]) - 2.0 * pulls), axis=1)
        planted = given["rows"] * ops.square(given["left"] - ops.sum(given["target"] * gated, axis=1))
        self.add_loss(ops.sum((own + planted) / (given["count"] + given["rows"])))
        return inputs


def _least_squares(
    x: np.ndarray, y: np.ndarray, targets: np.ndarray, rows: np.ndarray, label: float, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights, `(copies, num_features)`, and intercepts, `(copies,)`, by a change of rank one for each table."""
    wide = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    damping = np.full(wide.shape[1], ridge)
    damping[-1] = 0.0
    inverse = np.linalg.inv(wide.T @ wide + np.diag(damping))
    plain = inverse @ (wide.T @ y)
    toward = inverse[:, targets] + inverse[:, -1:]  # the inverse times the row (e_j, 1): (num_features + 1, copies)
    width = toward[targets, np.arange(len(targets))] + toward[-1]
    missing = label - plain[targets] - plain[-1]
    found = plain[:, None] + toward * (rows * missing / (1.0 + rows * width))
    return found[:-1].T, found[-1]
