"""The one training step of a search."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha import roles
from keras_dha.architecture_step import ArchitectureStep
from keras_dha.hyperparameter_step import HyperparameterStep, nothing
from keras_dha.loss_scale import both

Tensor = Any


class SearchTrainer(ArchitectureStep, HyperparameterStep):
    """What `train_step` of a `SearchModel` does.

    It knows roles and the contracts of the parts (docs/architecture.md); it asks for nobody's class.
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
        passes = self._passes(trained)
        put_back = self._saved_states() if self._replays else nothing
        due = self._architecture_due()
        bilevel = self._is_bilevel
        flags: list[Any] = [True]
        if bilevel and not self._settled_in_graph:
            outer, finite = self._outer_gradients(batch, held_out, passes, parts, due)
            self._update_architecture(outer, parts[roles.ARCHITECTURE], both(due, finite))
            flags.append(finite)
        gradients, loss, y_pred, choice_weights, slopes, found = passes.training(*batch)
        finite = self._of_all_replicas(found)
        flags.append(finite)
        if not bilevel:
            self._follow(loss)
        if self._policy_learns_from_training:
            losses = self._per_example_losses(augmented.labels, y_pred)
            self._update_policy(augmented, parts[roles.AUGMENTATION], finite, losses, slopes)
        if not self._settled_in_graph and not bilevel:
            self._update_architecture(gradients[count:], parts[roles.ARCHITECTURE], both(due, finite))
        if self.schedule_state and not self._settled_in_graph:
            self._move_schedule(gradients[:count], both(due, finite))
        augmented.gradients = gradients[:count]

        def training_loss() -> Tensor:
            put_back()
            return self._loss_of(*batch)[0]

        active = self._active(parts[roles.WEIGHT], choice_weights, finite)
        move = self._move_weights(gradients[:count], parts[roles.WEIGHT], active, training_loss, finite)
        learns = self._learns_from_held_out or self._policy_is_held_out
        if learns and held_out is not None and not self._settled_in_graph:
            flags.append(self._learn_from_held_out(held_out, passes, parts, move, augmented, finite))
        if self.loss_scale is not None:
            self.loss_scale.follow(functools.reduce(both, flags))
        self.steps.assign_add(1)
        return self._log(x, y, y_pred, sample_weight, loss)

    @contextlib.contextmanager
    def _memory_told(self, batch_size: int) -> Iterator[None]:
        """Says what to lower where memory runs out, if TensorFlow is told, and the system does not end the process."""
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            first = str(error).strip().splitlines()[0]
            raise MemoryError(
                f"Training must fit into memory. Received: batch_size={batch_size}, and {first!r}. Lower batch_size, "
                "or the channels or cells of the space; memory_estimate(batch_size) guesses what each takes. A recipe "
                "that runs one path a step, such as dsnas, takes less; keras_dha.tuners.RadarsTuner prunes first."
            ) from error

    def _active(
        self, variables: Sequence[keras.Variable], choice_weights: dict[str, Tensor], finite: Tensor | bool
    ) -> list[Any]:
        """For each variable whether it moves: a branch that did not run must not drift."""
        if self._settled_in_graph or self.supernet is None:
            return [finite] * len(variables)
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
        if self.recipe.schedule.weights_rest:
            moves = self.recipe.schedule.weights_move(ops.convert_to_tensor(self.progress))
            active = [ops.logical_and(moves, flag) for flag in active]
        moving = {id(flag): both(flag, finite) for flag in active}  # one flag stays one
        return [moving[id(flag)] for flag in active]

    def _moved_apart(self) -> list[keras.Variable]:
        return [*self.network.non_trainable_variables, self.baseline]

    def get_metrics_result(self) -> dict[str, Tensor]:
        """As in Keras; without the held-out loss where nothing is held out."""
        result = super().get_metrics_result()
        return result if self._holds_out else {k: v for k, v in result.items() if k != self._held_out_loss.name}

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """As in Keras; the held-out loss, and what is learned, belong to training alone."""
        of_training = {self._held_out_loss.name, *self._shown}
        return {name: value for name, value in super().test_step(data).items() if name not in of_training}

    def _log(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: Tensor) -> dict[str, Tensor]:
        size = ops.shape(next(iter(tf.nest.flatten(x))))[0]
        self._loss_tracker.update_state(loss * self.distribute_strategy.num_replicas_in_sync, sample_weight=size)
        for part in self.learned:
            value = self._learning_rate() if part.scales_step and not part.where else part.value()
            self._shown[part.name].update_state(value)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
