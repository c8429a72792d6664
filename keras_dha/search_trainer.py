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
from keras_dha.differentiated_model import MixedLabels
from keras_dha.hyperparameters import WeightDecay, WeightStep
from keras_dha.layers.shared_graphs import reading_all
from keras_dha.policy_step import Augmented, PolicyStep

Tensor = Any


class SearchTrainer(ArchitectureStep, PolicyStep):
    """What `train_step` of a `SearchModel` does.

    It knows roles and the contracts of the parts (docs/architecture.md); it asks for nobody's class but the
    two hyper-parameters that act on the optimizer's step.
    """

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Augmentation, architecture and weights on the training batch; then hyper-parameters on the held-out one.

        A policy may learn from the held-out batch, too. A recipe may have the architecture descend the held-out loss
        instead, before anything else moves.
        """
        paired = isinstance(data, dict) and "train" in data
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data["train"] if paired else data)
        held_out = data.get("held_out") if paired else None
        augmented = self._augment(x, y)
        batch = (augmented.inputs, augmented.labels, sample_weight)
        parts = roles.partition(self.trainable_variables)
        trained = parts[roles.WEIGHT] + ([] if self._settled_in_graph else parts[roles.ARCHITECTURE])
        count = len(parts[roles.WEIGHT])
        differentiate = self._differentiator(trained)
        due = self._architecture_due()
        bilevel = self._is_bilevel
        if bilevel and not self._settled_in_graph:
            outer = self._outer_gradients(batch, held_out, differentiate, parts, due)
            self._update_architecture(outer, parts[roles.ARCHITECTURE], due)
        gradients, loss, y_pred, choice_weights, slopes = differentiate(*batch)
        if not bilevel:
            self._follow(loss)
        if self._policy_learns_from_training:
            losses = self._per_example_losses(augmented.labels, y_pred)
            self._update_policy(augmented, parts[roles.AUGMENTATION], True, losses, slopes)
        if not self._settled_in_graph and not bilevel:
            self._update_architecture(gradients[count:], parts[roles.ARCHITECTURE], due)
        if self.schedule_state and not self._settled_in_graph:
            self._move_schedule(gradients[:count], due)
        learns = bool(self.learned) or self._policy_is_held_out
        augmented.gradients = gradients[:count]
        before = self._update_weights(gradients[:count], parts[roles.WEIGHT], choice_weights)
        if learns and held_out is not None and not self._settled_in_graph:
            self._learn_from_held_out(held_out, differentiate, parts, before, augmented)
        self.steps.assign_add(1)
        return self._log(x, y, y_pred, sample_weight, loss)

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

    def _learn_from_held_out(
        self,
        held_out: Any,
        differentiate: Any,
        parts: dict[str, list[keras.Variable]],
        before: Sequence[Tensor],
        augmented: Augmented,
    ) -> None:
        """A step of the hyper-parameters, and of a policy, by the held-out loss at the weights that were just reached.

        Args:
            held_out: The batch.
            differentiate: From `_differentiator`.
            parts: Variables by role.
            before: The weights before their step, as the units of their update.
            augmented: The training batch.
        """
        due = self._hyperparameters_due()
        learning_rate, update, weights = self._learning_rate(), self._updates[roles.WEIGHT], parts[roles.WEIGHT]
        agrees = self._policy_is_held_out and augmented.draws is not None

        def measured() -> tuple[Any, ...]:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(held_out)
            gradients, loss, *unread = differentiate(self.scaling(x) if self.scaling else x, y, sample_weight)
            loss, slopes = reading_all(loss, [gradients[len(weights) :], *unread]), gradients[: len(weights)]
            after = [ops.convert_to_tensor(unit) for unit in update.units]
            step = WeightStep(update.representatives, update.joined(slopes, weights), before, after, learning_rate)
            agreement = self._agreement(augmented, slopes, weights) if agrees else ()
            return loss, [part.hypergradient(step) for part in self.learned], agreement

        loss, found, agreement = tf.cond(due, measured, lambda: self._nothing_measured(augmented, agrees))
        thetas = [part.theta for part in self.learned]
        self._updates[roles.HYPERPARAMETER].apply(found, thetas, [due] * len(thetas))
        for part in self.learned:
            part.project()
        if agrees:
            self._update_policy(augmented, parts[roles.AUGMENTATION], due, *agreement)
        self._log_held_out(loss, due)

    def _nothing_measured(self, augmented: Augmented, agrees: bool) -> tuple[Any, ...]:
        """Zeros in the place of what held-out examples say."""
        none = ops.zeros(ops.shape(augmented.inputs)[:1]) if agrees else None
        values = [none] * (2 if isinstance(augmented.labels, MixedLabels) else 1)
        slopes = None if augmented.tape is None else ops.zeros_like(augmented.inputs)
        return ops.zeros(()), [ops.zeros(()) for _ in self.learned], (values, slopes) if agrees else ()

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
