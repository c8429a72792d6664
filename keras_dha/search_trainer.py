"""The one training step of a search."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha import roles
from keras_dha.architecture_step import ArchitectureStep
from keras_dha.compiled_model import has_schedule
from keras_dha.hyperparameters import WeightDecay, WeightStep
from keras_dha.layers.shared_graphs import reading_all

Tensor = Any


class SearchTrainer(ArchitectureStep):
    """What `train_step` of a `SearchModel` does.

    It knows roles and the contracts of the parts (docs/architecture.md); it asks for nobody's class but the
    two hyper-parameters that act on the optimizer's step.
    """

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Augmentation, architecture and weights on the training batch; then hyper-parameters on the held-out one.

        A recipe may have the architecture descend the held-out loss instead, before anything else moves.
        """
        paired = isinstance(data, dict) and "train" in data
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data["train"] if paired else data)
        held_out = data.get("held_out") if paired else None
        inputs, draws = self._augmented(x)
        parts = roles.partition(self.trainable_variables)
        trained = parts[roles.WEIGHT] + ([] if self._settled_in_graph else parts[roles.ARCHITECTURE])
        count = len(parts[roles.WEIGHT])
        differentiate = self._differentiator(trained)
        due = self._architecture_due()
        bilevel = self._is_bilevel
        if bilevel and not self._settled_in_graph:
            outer = self._outer_gradients((inputs, y, sample_weight), held_out, differentiate, parts, due)
            self._update_architecture(outer, parts[roles.ARCHITECTURE], due)
        gradients, loss, y_pred, choice_weights = differentiate(inputs, y, sample_weight)
        if not bilevel:
            self._follow(loss)
        if draws is not None:
            self._update_augmentation(draws, y, y_pred, parts[roles.AUGMENTATION])
        if not self._settled_in_graph and not bilevel:
            self._update_architecture(gradients[count:], parts[roles.ARCHITECTURE], due)
        if self.schedule_state and not self._settled_in_graph:
            self._move_schedule(gradients[:count], due)
        learns = held_out is not None and bool(self.learned) and not self._settled_in_graph
        before = self._update_weights(gradients[:count], parts[roles.WEIGHT], choice_weights)
        if learns:
            self._update_hyperparameters(held_out, differentiate, parts[roles.WEIGHT], before)
        self.steps.assign_add(1)
        return self._log(x, y, y_pred, sample_weight, loss)

    def _augmented(self, x: Any) -> tuple[Any, Any]:
        if self.scaling is None:
            return x, None
        images, draws = self.scaling.unit(x), None
        if self.augmentation is not None:
            # Pixels that the training part did not have, such as held-out ones, may lie outside of its range.
            images = ops.clip(images, 0.0, 1.0)
            images, draws = self.augmentation.augment(images, training=True, **self._replica())
        return self.scaling.standardize(images), draws

    def _replica(self) -> dict[str, Any]:
        """Tells replicas apart, whose random generators are equal."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return {}
        return {"replica": tf.distribute.get_replica_context().replica_id_in_sync_group}

    def _update_augmentation(self, draws: Any, y: Any, y_pred: Any, variables: Sequence[keras.Variable]) -> None:
        if self.augmentation is None or not variables:
            return
        losses = ops.stop_gradient(self._per_example_loss(y, y_pred))
        with tf.GradientTape() as tape:
            # The optimizer sums gradients over replicas; each has the mean of its own part of the batch.
            loss = self.augmentation.loss(draws, losses) / self.distribute_strategy.num_replicas_in_sync
        self._updates[roles.AUGMENTATION].apply(tape.gradient(loss, variables), variables, [True] * len(variables))

    def _update_weights(
        self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable], choice_weights: dict[str, Tensor]
    ) -> list[Tensor]:
        """One step of the weights. Returns what they were, as the units of the update."""
        learning_rate = self._learning_rate()
        if not has_schedule(self.optimizer):
            self.optimizer.learning_rate.assign(learning_rate)
        known = [(g, v) for g, v in zip(gradients, variables) if g is not None]
        gradients, variables = [g for g, _ in known], [v for _, v in known]
        active = self._active(variables, choice_weights)
        update, shrinkage = self._updates[roles.WEIGHT], None
        for part in self.learned:
            if isinstance(part, WeightDecay) and part.coupled:
                gradients = part.added(variables, gradients)
            elif isinstance(part, WeightDecay):
                share = part.shrinkage(learning_rate)
                shrinkage = [share if part.acts_on(weight) else None for weight in update.representatives]
        return update.apply(gradients, variables, active, shrinkage)

    def _active(self, variables: Sequence[keras.Variable], choice_weights: dict[str, Tensor]) -> list[Any]:
        """For each variable whether it took part in this step: a branch that did not run must not drift."""
        if self._settled_in_graph or self.supernet is None:
            return [True] * len(variables)
        ran = {
            (name, position): runs
            for name, weights in choice_weights.items()
            if self.supernet.relaxations[name].sparse
            for position, runs in enumerate(ops.unstack(ops.not_equal(weights, 0.0)))
        }
        active: list[Any] = []
        for variable in variables:
            flags = [ran.get(place, True) for place in self._gates.get(id(variable), [("", 0)])]
            active.append(True if any(flag is True for flag in flags) else functools.reduce(ops.logical_or, flags))
        return active

    def _update_hyperparameters(
        self, held_out: Any, differentiate: Any, variables: Sequence[keras.Variable], before: Sequence[Tensor]
    ) -> None:
        """One step along the gradient of the held-out loss at the weights that were just reached."""
        due = ops.equal(self.steps % self.recipe.schedule.hyperparameters_every, 0)
        learning_rate, update = self._learning_rate(), self._updates[roles.WEIGHT]

        def measured() -> list[Tensor]:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(held_out)
            gradients, loss, *unread = differentiate(self.scaling(x) if self.scaling else x, y, sample_weight)
            loss = reading_all(loss, [gradients[len(variables) :], *unread])
            slopes = update.joined(gradients[: len(variables)], variables)
            after = [ops.convert_to_tensor(unit) for unit in update.units]
            step = WeightStep(update.representatives, slopes, before, after, learning_rate)
            return [loss, *(part.hypergradient(step) for part in self.learned)]

        loss, *slopes = tf.cond(due, measured, lambda: [tf.zeros(())] * (1 + len(self.learned)))
        thetas = [part.theta for part in self.learned]
        self._updates[roles.HYPERPARAMETER].apply(slopes, thetas, [due] * len(thetas))
        for part in self.learned:
            part.project()
        self._log_held_out(loss, due)

    def average_replicas(self) -> None:
        """Makes moving statistics, which each replica moves by itself, the mean of all replicas; outside of graphs."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return
        for variable in self.network.non_trainable_variables:
            if keras.backend.is_float_dtype(variable.dtype):
                parts = self.distribute_strategy.experimental_local_results(variable.value)
                variable.assign(sum(part.numpy() for part in parts) / len(parts))

    def get_metrics_result(self) -> dict[str, Tensor]:
        """As in Keras; without the held-out loss where nothing is held out."""
        result = super().get_metrics_result()
        return result if self._holds_out else {k: v for k, v in result.items() if k != self._held_out_loss.name}

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """As in Keras; the held-out loss belongs to training alone."""
        return {name: value for name, value in super().test_step(data).items() if name != self._held_out_loss.name}

    def _log(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: Tensor) -> dict[str, Tensor]:
        size = ops.shape(next(iter(tf.nest.flatten(x))))[0]
        self._loss_tracker.update_state(loss * self.distribute_strategy.num_replicas_in_sync, sample_weight=size)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
