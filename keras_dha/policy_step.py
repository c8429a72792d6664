"""What moves the augmentation policy."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha import roles
from keras_dha.differentiated_model import DifferentiatedModel, MixedLabels, shared
from keras_dha.hypergradients import dense, finite_difference_product, inner_product

Tensor = Any


@dataclasses.dataclass
class Augmented:
    """A training batch as the network gets it, and what the policy needs to learn from it.

    Attributes:
        inputs: Scaled, augmented.
        labels: As they came, or `MixedLabels`.
        draws: What the policy drew; None if there is none.
        tape: Has seen how the policy made the inputs, if it learns through them.
        gradients: Of the batch's loss for the weights, when they are known.
    """

    inputs: Any
    labels: Any
    draws: Any = None
    tape: tf.GradientTape | None = None
    gradients: Sequence[Tensor | None] = ()


class PolicyStep(DifferentiatedModel):
    """A step of the policy, from the losses of training examples, or from how they agree with held-out ones."""

    augmentation: Any

    def _augment(self, x: Any, y: Any) -> Augmented:
        if self.scaling is None:
            return Augmented(x, y)
        images = self.scaling.unit(x)
        if self.augmentation is None:
            return Augmented(self.scaling.standardize(images), y)
        # Pixels that the training part did not have, such as held-out ones, may lie outside of its range.
        images = ops.clip(images, 0.0, 1.0)
        with tf.GradientTape() as tape:
            images, draws = self.augmentation.augment(images, training=True, **self._replica(), **self._learns())
            inputs = self.scaling.standardize(images)
        if "share" in draws:
            y = MixedLabels(y, draws["partner"], draws["share"])
        return Augmented(inputs, y, draws, tape if self._policy_learns_through_images else None)

    def _learns(self) -> dict[str, Any]:
        """Tells a policy that has gradients through its images when they are asked for."""
        if not self._policy_learns_through_images:
            return {}
        return {"learns": self._hyperparameters_due() if self._policy_is_held_out else True}

    def _hyperparameters_due(self) -> Tensor:
        """Whether this is a step in which held-out examples are looked at."""
        return ops.equal(self.steps % self.recipe.schedule.hyperparameters_every, 0)

    @property
    def _policy_learns_from_training(self) -> bool:
        """Whether the policy, as the graphs are, learns from the losses of the training batch."""
        if self.augmentation is None or self._policy_is_held_out:
            return False
        return self._policy_learns_through_images or not getattr(self.augmentation, "learns_through_images", False)

    def _replica(self) -> dict[str, Any]:
        """Tells replicas apart, whose random generators are equal."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return {}
        return {"replica": tf.distribute.get_replica_context().replica_id_in_sync_group}

    def _update_policy(
        self,
        augmented: Augmented,
        variables: Sequence[keras.Variable],
        due: Tensor | bool,
        values: Sequence[Tensor],
        slopes: Tensor | None,
    ) -> None:
        """One step of the policy.

        Args:
            augmented: The training batch.
            variables: Of the policy.
            due: Whether to take the step.
            values: A number for each example: its loss, or how it agrees with the held-out ones; of mixed labels two.
            slopes: The gradients of their mean for the inputs, if the policy learns through these.
        """
        if self.augmentation is None or not variables:
            return

        def measured() -> list[Tensor]:
            with augmented.tape or tf.GradientTape() as tape:
                signal = shared([ops.stop_gradient(value) for value in values], augmented.labels)
                if augmented.tape is not None:
                    # Slopes are of the mean over the replica's examples, of which Keras takes its part of all replicas.
                    number = ops.cast(ops.shape(signal)[0], "float32") * self._replicas
                    through = number * ops.cast(augmented.inputs, "float32") * ops.stop_gradient(slopes)
                    through = ops.sum(ops.reshape(through, (ops.shape(signal)[0], -1)), axis=-1)
                    signal = signal + through - ops.stop_gradient(through)
                # The optimizer sums gradients over replicas; each has the mean of its own part of the batch.
                loss = self.augmentation.loss(augmented.draws, signal) / self._replicas
            return dense(tape.gradient(loss, variables), variables)

        def nothing() -> list[Tensor]:
            return [ops.zeros(v.shape, v.dtype) for v in variables]

        # Back through the images only where it counts.
        gradients = measured() if due is True else tf.cond(due, measured, nothing)
        self._updates[roles.AUGMENTATION].apply(gradients, variables, [due] * len(variables))

    def _agreement(
        self, augmented: Augmented, slopes: Sequence[Tensor | None], weights: Sequence[keras.Variable]
    ) -> tuple[list[Tensor], Tensor | None]:
        """How much each training example turns the gradient `g` of its batch towards that of the held-out loss, `h`.

        `<h - (<h, g> / <g, g>) g, g_i>`, in proportion to what the example's gradient `g_i` adds to the cosine of `g`
        and `h`. Of `<h, g_i>` itself, how fast the held-out loss falls, images would get much for being hard.

        Two passes at weights moved along that vector, with the same choices and dropout; all is put back.

        Returns:
            Shape `(batch,)`, of mixed labels for both; and the gradient of their mean for the inputs, if the policy
            learns through these.
        """
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "A policy that learns from held-out examples must be searched on one replica. Received: "
                f"{self.distribute_strategy.num_replicas_in_sync} replicas. Take direction='adversarial'."
            )
        put_back, inputs, y = self._saved_states(), augmented.inputs, augmented.labels
        vector = dense(slopes, weights)
        if augmented.gradients:
            own = dense(augmented.gradients, weights)
            share = inner_product(vector, own) / ops.maximum(inner_product(own, own), 1e-30)
            vector = [v - share * g for v, g in zip(vector, own)]

        def losses() -> list[Tensor]:
            put_back()
            if augmented.tape is None:
                return self._per_example_losses(y, self.forward(inputs, training=True)[0])
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                values = self._per_example_losses(y, self.forward(inputs, training=True)[0])
                mean = ops.mean(shared(values, y))
            return [*values, *self._gradient(tape, mean, [inputs])]

        found = finite_difference_product(losses, weights, vector)
        put_back()
        return (found, None) if augmented.tape is None else (found[:-1], found[-1])
