"""The loss of a search, and its gradients."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from keras_dha import roles
from keras_dha.compiled_model import CompiledModel
from keras_dha.hyperparameters import DropoutRate, LossHyperparameter, TrainingBatch
from keras_dha.layers import ImageScaling
from keras_dha.loss_scale import all_finite
from keras_dha.relaxations import Relaxation

Tensor = Any


class MixedLabels(NamedTuple):
    """Labels of images of which `share` is their own and the rest another one's of the batch, number `partner`."""

    y: Any
    partner: Tensor
    share: Tensor


class Pass(NamedTuple):
    """What a batch says.

    Args:
        gradients: Of the loss, and of the score of what was drawn, one a variable; None where it does not reach.
        loss: A scalar.
        outputs: Of the network.
        choice_weights: Choice name to the weights of its options.
        slopes: The gradient of the loss for the inputs, if the policy learns through these; else None.
        finite: Whether the gradients, and the slopes, were finite; zeros stand for them otherwise. None: losses are not
            scaled, and nobody asks.
    """

    gradients: list[Tensor | None]
    loss: Tensor
    outputs: Any
    choice_weights: dict[str, Tensor]
    slopes: Tensor | None
    finite: Tensor | None


class Passes(NamedTuple):
    """From scaled inputs, labels and sample weights to a `Pass`: see `DifferentiatedModel._differentiator`.

    Args:
        training: Of training batches.
        held_out: Of held-out ones; the same function where they go through the network in the same way.
    """

    training: Callable[..., Pass]
    held_out: Callable[..., Pass]


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

    def _loss_of(
        self, inputs: Any, y: Any, sample_weight: Any, *, held_out: bool = False
    ) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """The loss of a batch of scaled inputs, the outputs, and the weights of options.

        That of a training batch has the terms of learned hyper-parameters in it.
        """
        if held_out:  # without what layers add
            y_pred, choice_weights = self._held_out_forward(inputs)
            return self._loss_object(y, y_pred, sample_weight), y_pred, choice_weights
        y_pred, choice_weights = self.forward(inputs, training=True)
        if not isinstance(y, MixedLabels):
            loss = self.compute_loss(inputs, y, y_pred, sample_weight, training=True)
        else:
            own_weight, others, others_weight = _mixed(y, sample_weight)
            loss = self.compute_loss(inputs, y.y, y_pred, own_weight, training=True)
            loss = loss + self._loss_object(others, y_pred, others_weight)
        return loss + self._terms(y, y_pred, sample_weight), y_pred, choice_weights

    def _held_out_forward(self, inputs: Any) -> tuple[Any, dict[str, Tensor]]:
        """As `forward`, of held-out examples: nothing is dropped by layers whose rate is learned."""
        with contextlib.ExitStack() as stack:
            for part in self.learned:
                if isinstance(part, DropoutRate):
                    stack.enter_context(part.resting())
            return self.forward(inputs, training=self.recipe.held_out_pass == "training")

    def _terms(self, y: Any, y_pred: Any, sample_weight: Any) -> Tensor:
        """What learned hyper-parameters add to the training loss."""

        def mean(given: Any) -> Tensor:
            loss = given if isinstance(given, keras.losses.Loss) else _FunctionLoss(given)
            if not isinstance(y, MixedLabels):
                return loss(y, y_pred, sample_weight)
            own_weight, others, others_weight = _mixed(y, sample_weight)
            return loss(y.y, y_pred, own_weight) + loss(others, y_pred, others_weight)

        parts = [part for part in self.learned if isinstance(part, LossHyperparameter)]
        if not parts:
            return 0.0
        weights, replicas = roles.partition(self.trainable_variables)[roles.WEIGHT], self._replicas
        added = [value / replicas for value in self.network.losses]
        batch = TrainingBatch(y, y_pred, sample_weight, self._loss_object, mean, weights, added, replicas)
        return sum(part.term(batch) for part in parts)

    @property
    def _replicas(self) -> int:
        return self.distribute_strategy.num_replicas_in_sync

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

    def _passes(self, variables: Sequence[keras.Variable]) -> Passes:
        """How gradients of training and of held-out batches are taken."""
        training = self._differentiator(variables)
        return Passes(training, training if self._one_pass_for_both else self._differentiator(variables, held_out=True))

    def _differentiator(self, variables: Sequence[keras.Variable], *, held_out: bool = False) -> Any:
        """From scaled inputs, labels and sample weights to a `Pass`.

        While both the training and the held-out batch go through the same one, it is a graph of its own, which is
        traced and optimized once. Not so eagerly, where each step would trace it anew, nor on several replicas, which
        can agree on moving statistics in the outermost graph only.
        """

        def differentiate(inputs: Any, y: Any, sample_weight: Any) -> Pass:
            sources = [*variables, inputs] if self._policy_learns_through_images else list(variables)
            with tf.GradientTape() as tape:
                tape.watch(sources[len(variables) :])
                loss, y_pred, choice_weights = self._loss_of(inputs, y, sample_weight, held_out=held_out)
                objective = loss + self._score(loss, choice_weights)
            gradients, finite = self._gradient(tape, objective, sources), None
            if self.loss_scale is not None:
                finite = all_finite(gradients)
                gradients = [None if g is None else ops.where(finite, g, ops.zeros_like(g)) for g in gradients]
            slopes = gradients.pop() if len(gradients) > len(variables) else None
            return Pass(gradients, loss, y_pred, choice_weights, slopes, finite)

        if not self._holds_out or self.run_eagerly or self._replicas > 1 or not self._one_pass_for_both:
            return differentiate
        return tf.function(differentiate, autograph=False, experimental_attributes={"_noinline": True})

    def _gradient(self, tape: tf.GradientTape, target: Tensor, sources: Sequence[Any]) -> list[Tensor | None]:
        """As `tape.gradient`, by way of a scaled loss where the network is of half precision."""
        if self.loss_scale is None:
            return tape.gradient(target, sources)
        return self.loss_scale.gradient(tape, target, sources)

    def _of_all_replicas(self, finite: Tensor | None) -> Tensor | bool:
        """Whether what `Pass.finite` says holds on all replicas, which move together; True where nobody asks."""
        if finite is None:
            return True
        return ops.equal(self._mean_of_replicas(ops.cast(finite, "float32")), 1.0)

    @property
    def _one_pass_for_both(self) -> bool:
        """Whether held-out examples go through the network as training examples do."""
        same = not self.network.losses and not any(isinstance(part, LossHyperparameter) for part in self.learned)
        return same and self.recipe.held_out_pass == "training"

    @property
    def _loss_object(self) -> keras.losses.Loss:
        loss = keras.losses.get(self._compile_arguments["loss"])
        return loss if isinstance(loss, keras.losses.Loss) else _FunctionLoss(loss)

    def _per_example_losses(self, y: Any, y_pred: Any) -> list[Tensor]:
        """The loss of each example, shape `(batch,)`; of mixed labels, those of its own one and of the other."""
        if isinstance(y, MixedLabels):
            labels = (y.y, ops.take(y.y, y.partner, axis=0))
            return [values for part in labels for values in self._per_example_losses(part, y_pred)]
        values = self._loss_object.call(y, ops.cast(y_pred, "float32"))
        return [ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)]

    @property
    def _relaxations(self) -> dict[str, Relaxation]:
        """Choice name to relaxation; empty where nothing is chosen."""
        return {} if self.supernet is None else self.supernet.relaxations

    def _log_held_out(self, loss: Tensor, measured: Tensor) -> None:
        loss = loss * self._replicas  # undoes what is for gradients only
        self._held_out_loss.update_state(loss, sample_weight=ops.cast(measured, "float32"))

    def _mean_of_replicas(self, value: Tensor) -> Tensor:
        """What replicas must agree on, for it decides what all of them do next."""
        if self._replicas == 1:
            return value
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, value)

    def _sum_of_replicas(self, value: Tensor) -> Tensor:
        if self._replicas == 1:
            return value
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)

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


def _mixed(y: MixedLabels, sample_weight: Any) -> tuple[Tensor, Any, Tensor]:
    """How much of each example's own label counts, the other one's labels, and how much of these."""
    weight = 1.0 if sample_weight is None else sample_weight
    return y.share * weight, ops.take(y.y, y.partner, axis=0), (1.0 - y.share) * weight


class _FunctionLoss(keras.losses.Loss):
    """The mean of a function's values."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__(name="function_loss")
        self.call = function
