"""What moves the weights, and the hyper-parameters that learn from their step."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha import roles
from keras_dha.differentiated_model import MixedLabels, Passes
from keras_dha.hypergradients import Hypergradient, WeightMove
from keras_dha.hyperparameters import Hyperparameter
from keras_dha.layers.shared_graphs import reading_all
from keras_dha.loss_scale import all_finite, both
from keras_dha.policy_step import Augmented, PolicyStep

Tensor = Any


class HyperparameterStep(PolicyStep):
    """A step of the weights; then one of the hyper-parameters, and of a policy, by the held-out loss where it led."""

    def _move_weights(
        self,
        gradients: Sequence[Tensor | None],
        variables: Sequence[keras.Variable],
        active: Sequence[Any],
        training_loss: Callable[[], Tensor],
        finite: Tensor | bool,
    ) -> WeightMove:
        """One step of the weights. Returns what estimators may ask about it.

        Args:
            gradients: Of the training loss.
            variables: The weights.
            active: For each of them True, or a boolean scalar: whether it moves.
            training_loss: As `WeightMove` has it.
            finite: Whether the gradients are; what learns from them rests otherwise.
        """
        update, factor = self.weight_update, self._annealing()
        units = update.update
        step = ops.cast(self.optimizer.iterations + 1, "float32")

        def split(tensors: Sequence[Tensor]) -> list[Tensor]:
            by_variable = units.by_variable(tensors)
            return [by_variable[id(variable)] for variable in variables]

        estimators, replays = self._used_estimators(), self._replays
        move = WeightMove(
            weights=variables,
            representatives=units.representatives,
            gradients=units.joined(gradients, variables) if estimators else (),
            before=units.read(variables) if replays else (),
            slots=update.slots() if replays else (),
            moved=lambda units, slots, gradients: update.moved(units, slots, gradients, factor, step),
            training_loss=training_loss,
            split=split,
            joined=lambda tensors: units.joined(tensors, variables),
        )
        for estimator, parts in estimators:
            estimator.before_step(parts, move)
            if estimator.learns_from == "training":
                self._descend(parts, estimator.gradients(parts, move), finite)
        rate = self._learning_rate()  # which hypergradient descent has just moved
        known = [(g, v, a) for g, v, a in zip(gradients, variables, active, strict=True) if g is not None]
        if estimators:
            update.restrain_decays(rate)
        before = update.apply([g for g, _, _ in known], [v for _, v, _ in known], [a for _, _, a in known], rate)
        if not estimators:
            return dataclasses.replace(move, before=before, rate=rate)
        rate = update.restrain(update.made((), (), before, rate), variables)
        made = update.made((), (), before, rate)
        for estimator, parts in estimators:
            estimator.after_step(parts, made)
        return dataclasses.replace(move, before=before, rate=rate)

    def _used_estimators(self) -> list[tuple[Hypergradient, list[Hyperparameter]]]:
        """Estimators, and what each of them is asked for; none where the search is over."""
        if self._settled_in_graph:
            return []
        pairs = [(estimator, self._seen_by[id(estimator)]) for estimator in self.estimators]
        return [(estimator, parts) for estimator, parts in pairs if parts]

    @property
    def _replays(self) -> bool:
        """Whether an estimator asks for the training loss of a step."""
        return any(estimator.replays(parts) for estimator, parts in self._used_estimators())

    def _learn_from_held_out(
        self,
        held_out: Any,
        passes: Passes,
        parts: dict[str, list[keras.Variable]],
        move: WeightMove,
        augmented: Augmented,
        moved: Tensor | bool,
    ) -> Tensor | bool:
        """A step of the hyper-parameters, and of a policy, by the held-out loss at the weights that were just reached.

        Args:
            held_out: The batch.
            passes: How gradients are taken.
            parts: Variables by role.
            move: The step of the weights.
            augmented: The training batch.
            moved: Whether the weights took that step; where they did not, nothing is to be learned from it.

        Returns:
            Whether all gradients were finite; True where losses are not scaled.
        """
        due, weights = self._hyperparameters_due(), parts[roles.WEIGHT]
        agrees = self._policy_is_held_out and augmented.draws is not None
        estimators = [(e, own) for e, own in self._used_estimators() if e.learns_from == "held_out"]
        learned = [part for _, own in estimators for part in own]
        if self._replicas > 1 and any(estimator.replays(own) for estimator, own in estimators):
            raise ValueError(
                "Hyper-parameters that take second derivatives must be learned on one replica. Received: "
                f"{self._replicas} replicas, and {[part.name for part in learned]}. Learn a LearningRate and a "
                "WeightDecay there, with OneStep."
            )

        def measured() -> tuple[Any, ...]:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(held_out)
            inputs = self.scaling(x) if self.scaling else x
            gradients, loss, *unread, finite = passes.held_out(inputs, y, sample_weight)
            loss, slopes = reading_all(loss, [gradients[len(weights) :], *unread]), gradients[: len(weights)]
            seen = move.seen(self.weight_update.made(slopes, weights, move.before, move.rate), slopes)
            put_back = self._saved_states() if self._replays else nothing
            found = [g for estimator, own in estimators for g in estimator.gradients(own, seen)]
            put_back()
            agreement = self._agreement(augmented, slopes, weights) if agrees else ()
            if finite is not None:
                finite = ops.logical_and(finite, all_finite(keras.tree.flatten(agreement)))
            return loss, found, agreement, finite

        loss, found, agreement, finite = tf.cond(
            due, measured, lambda: self._nothing_measured(augmented, agrees, learned)
        )
        finite = self._of_all_replicas(finite)
        moves = both(due, both(moved, finite))
        values = {id(part): ops.copy(part.value()) for part in learned}
        self._descend(learned, found, moves)
        for estimator, own in estimators:
            units = [ops.convert_to_tensor(unit) for unit in self.weight_update.update.units]
            reached = estimator.follow(own, [part.value() / values[id(part)] for part in own], units)
            if reached:
                self.weight_update.update.write(reached, weights)
        if agrees:
            self._update_policy(augmented, parts[roles.AUGMENTATION], moves, *agreement)
        self._log_held_out(loss, due)
        return finite

    def _descend(self, parts: Sequence[Hyperparameter], gradients: Sequence[Tensor], due: Tensor | bool) -> None:
        """One step of hyper-parameters, safe against spikes, and within their bounds."""
        if not parts:
            return
        whole = self._sum_of_replicas(ops.stack([ops.cast(gradient, "float32") for gradient in gradients]))
        guarded = [part.guarded(gradient) for part, gradient in zip(parts, ops.unstack(whole, len(parts)))]
        active = [ops.logical_and(due, finite) for _, finite in guarded]
        thetas = [part.theta for part in parts]
        before = [ops.copy(theta) for theta in thetas]
        # The optimizer sums gradients over replicas, which all have the whole.
        shares = [gradient / self._replicas for gradient, _ in guarded]
        self._updates[roles.HYPERPARAMETER].apply(shares, thetas, active)
        factor = self.recipe.schedule.hyperparameter_factor(ops.convert_to_tensor(self.progress))
        for part, start, (gradient, _), counts in zip(parts, before, guarded, active, strict=True):
            part.remember(gradient, counts)
            part.limit(start, factor)
            part.project()

    def _nothing_measured(
        self, augmented: Augmented, agrees: bool, learned: Sequence[Hyperparameter]
    ) -> tuple[Any, ...]:
        """Zeros in the place of what held-out examples say."""
        none = ops.zeros(ops.shape(augmented.inputs)[:1]) if agrees else None
        values = [none] * (2 if isinstance(augmented.labels, MixedLabels) else 1)
        slopes = None if augmented.tape is None else ops.zeros_like(augmented.inputs)
        finite = None if self.loss_scale is None else ops.convert_to_tensor(True)
        return ops.zeros(()), [ops.zeros(()) for _ in learned], (values, slopes) if agrees else (), finite


def nothing() -> None:
    """Nothing was moved that would have to be put back."""
