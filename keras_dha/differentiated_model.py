"""The loss of a search, and its gradients."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from keras_dha.compiled_model import CompiledModel
from keras_dha.layers import ImageScaling
from keras_dha.relaxations import Relaxation

Tensor = Any


class MixedLabels(NamedTuple):
    """Labels of images of which `share` is their own and the rest another one's of the batch, number `partner`."""

    y: Any
    partner: Tensor
    share: Tensor


class DifferentiatedModel(CompiledModel):
    """What a step of a `SearchModel` descends: the loss of a batch, and the score of the choices drawn for it."""

    network: keras.Model
    scaling: ImageScaling | None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.baseline = self._state("baseline")
        self.baseline_losses = self._state("baseline_losses")
        self._held_out_loss = keras.metrics.Mean(name="held_out_loss")

    def forward(self, inputs: Any, training: bool | None) -> tuple[Any, dict[str, Tensor]]:
        """Outputs of the network for scaled inputs, and the weights of options that they were computed with."""
        if tf.executing_eagerly():
            self.synchronize()
        return self.network(inputs, training=training)

    def _loss_of(self, inputs: Any, y: Any, sample_weight: Any) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """The loss of a batch of scaled inputs, the outputs, and the weights of options."""
        y_pred, choice_weights = self.forward(inputs, training=True)
        if not isinstance(y, MixedLabels):
            return self.compute_loss(inputs, y, y_pred, sample_weight, training=True), y_pred, choice_weights
        weight = 1.0 if sample_weight is None else sample_weight
        own = self.compute_loss(inputs, y.y, y_pred, y.share * weight, training=True)
        others = ops.take(y.y, y.partner, axis=0)
        return own + self._loss_object(others, y_pred, (1.0 - y.share) * weight), y_pred, choice_weights

    def _score(self, loss: Tensor, choice_weights: dict[str, Tensor]) -> Tensor:
        """`sg(loss - baseline) * log p`: its gradient is the score-function estimate of the drawn choices."""
        if self._settled_in_graph or self.supernet is None:
            return 0.0
        advantage = ops.where(self.baseline_losses > 0, ops.stop_gradient(loss) - self.baseline, 0.0)
        relaxations = self.supernet.relaxations
        return advantage * sum(
            relaxations[name].log_probability(relaxations[name].logits, weights)
            for name, weights in choice_weights.items()
        )

    def _follow(self, loss: Tensor, measured: Tensor | bool = True) -> None:
        """Moves the baseline, if the loss was measured: the mean of the losses so far, later a moving one."""
        seen = ops.convert_to_tensor(self.baseline_losses)
        memory = ops.where(measured, ops.minimum(0.95, seen / (seen + 1.0)), 1.0)
        self.baseline.assign(memory * self.baseline + (1.0 - memory) * loss)
        self.baseline_losses.assign_add(ops.cast(measured, "float32"))

    def _differentiator(self, variables: Sequence[keras.Variable]) -> Any:
        """From scaled inputs, labels and sample weights to gradients, loss, outputs, and weights of options.

        And to the gradient of the loss for the inputs, if the policy learns through these; else None.

        While both the training and the held-out batch go through it, it is a graph of its own, which is traced and
        optimized once. Not so eagerly, where each step would trace it anew, nor on several replicas, which can agree on
        moving statistics in the outermost graph only.
        """

        def differentiate(inputs: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
            sources = [*variables, inputs] if self._policy_learns_through_images else list(variables)
            with tf.GradientTape() as tape:
                tape.watch(sources[len(variables) :])
                loss, y_pred, choice_weights = self._loss_of(inputs, y, sample_weight)
                objective = loss + self._score(loss, choice_weights)
            gradients = tape.gradient(objective, sources)
            slopes = gradients.pop() if len(gradients) > len(variables) else None
            return gradients, loss, y_pred, choice_weights, slopes

        alone = self.distribute_strategy.num_replicas_in_sync == 1
        if not self._holds_out or self.run_eagerly or not alone:
            return differentiate
        return tf.function(differentiate, autograph=False, experimental_attributes={"_noinline": True})

    @property
    def _loss_object(self) -> keras.losses.Loss:
        loss = keras.losses.get(self._compile_arguments["loss"])
        return loss if isinstance(loss, keras.losses.Loss) else _FunctionLoss(loss)

    def _per_example_losses(self, y: Any, y_pred: Any) -> list[Tensor]:
        """The loss of each example, shape `(batch,)`; of mixed labels, those of its own one and of the other."""
        if isinstance(y, MixedLabels):
            labels = (y.y, ops.take(y.y, y.partner, axis=0))
            return [values for part in labels for values in self._per_example_losses(part, y_pred)]
        values = self._loss_object.call(y, y_pred)
        return [ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)]

    @property
    def _relaxations(self) -> dict[str, Relaxation]:
        """Choice name to relaxation; empty where nothing is chosen."""
        return {} if self.supernet is None else self.supernet.relaxations

    def _log_held_out(self, loss: Tensor, measured: Tensor) -> None:
        loss = loss * self.distribute_strategy.num_replicas_in_sync  # undoes what is for gradients only
        self._held_out_loss.update_state(loss, sample_weight=ops.cast(measured, "float32"))

    def _mean_of_replicas(self, value: Tensor) -> Tensor:
        """What replicas must agree on, for it decides what all of them do next."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return value
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, value)

    def _saved_states(self) -> Callable[[], None]:
        """What puts moving statistics and random states of the network back to what they are now.

        A pass after it draws the same choices and the same dropout as a pass before it.
        """
        states = [(v, ops.copy(v)) for v in self.network.non_trainable_variables]

        def put_back() -> None:
            for variable, value in states:
                variable.assign(value)

        return put_back

    def option_costs(self, x: Any, y: Any) -> tuple[dict[str, dict[str, float]], Any]:
        """What each option costs on some examples, `w * dL/dw`, and the logits, as an array.

        Batch statistics are those of the examples; moving ones stay as they are. A drawing relaxation draws once.

        Args:
            x: Inputs, as for `fit`.
            y: Labels.

        Returns:
            Choice name to option name to cost, in units of the loss; and `(num_examples, num_classes)`.
        """
        put_back = self._saved_states()
        with tf.GradientTape() as tape:
            outputs, weights = self.forward(self.scaling(x) if self.scaling else x, training=True)
            loss = self.compute_loss(x, ops.convert_to_tensor(y), outputs, None, training=False)
        gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        put_back()
        costs = {
            name: dict(zip(self._relaxations[name].choice.options, (weights[name] * gradients[name]).numpy().tolist()))
            for name in weights
        }
        return costs, ops.convert_to_numpy(outputs)


def shared(values: Sequence[Tensor], y: Any) -> Tensor:
    """A number for each example, from those of `_per_example_losses`, or of anything in their place."""
    return y.share * values[0] + (1.0 - y.share) * values[1] if isinstance(y, MixedLabels) else values[0]


class _FunctionLoss(keras.losses.Loss):
    """The mean of a function's values."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__(name="function_loss")
        self.call = function


def dense(gradients: Sequence[Tensor | None], variables: Sequence[keras.Variable]) -> list[Tensor]:
    """Zeros for the gradients that are None."""
    return [ops.zeros(v.shape, v.dtype) if g is None else g for g, v in zip(gradients, variables, strict=True)]
