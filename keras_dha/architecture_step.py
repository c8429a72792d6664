"""What moves the architecture."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha import roles
from keras_dha.differentiated_model import DifferentiatedModel, Passes
from keras_dha.hypergradients import dense, finite_difference_product, mixed_product
from keras_dha.penalties import Penalty
from keras_dha.relaxations import Relaxation

Tensor = Any


class ArchitectureStep(DifferentiatedModel):
    """A step of the logits, from the gradients of the training batch or of the held-out one."""

    choice_relaxations: list[Relaxation]
    penalties: list[Penalty]
    schedule_state: dict[str, keras.Variable]

    def end_search(self) -> None:
        """Lets penalties have the last word on what is kept."""
        for penalty in self.penalties:
            penalty.finish(self._relaxations)

    def _architecture_due(self) -> Tensor:
        state = {name: ops.convert_to_tensor(variable) for name, variable in self.schedule_state.items()}
        return self.recipe.schedule.architecture_due(
            ops.convert_to_tensor(self.progress), ops.convert_to_tensor(self.steps), state
        )

    def _update_architecture(
        self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable], due: Tensor
    ) -> None:
        share = self.recipe.schedule.search_share(ops.convert_to_tensor(self.progress))
        if self.penalties:
            gradients = self._with_penalties(gradients, variables, share)
        active = [ops.logical_and(due, ops.logical_not(part.frozen)) for part in self.choice_relaxations]
        by_variable = {id(part.logits): gate for part, gate in zip(self.choice_relaxations, active)}
        self._updates[roles.ARCHITECTURE].apply(gradients, variables, [by_variable[id(v)] for v in variables])
        for penalty in self.penalties:
            penalty.step(self._relaxations, due)
        for part in self.choice_relaxations:
            part.project()
            part.step(share)

    def _with_penalties(
        self, gradients: Sequence[Tensor], variables: Sequence[keras.Variable], share: Tensor
    ) -> list[Tensor]:
        relaxations = self._relaxations
        with tf.GradientTape() as tape:
            # The optimizer sums gradients over replicas; the penalty is the same on each.
            total = sum(part.value(relaxations, share) for part in self.penalties)
            total = total / self.distribute_strategy.num_replicas_in_sync
        added = dense(tape.gradient(total, variables), variables)
        return [ops.add(g, a) for g, a in zip(dense(gradients, variables), added)]

    def _move_schedule(self, gradients: Sequence[Tensor | None], due: Tensor) -> None:
        state = {name: ops.convert_to_tensor(variable) for name, variable in self.schedule_state.items()}
        known = [gradient for gradient in gradients if gradient is not None]
        for name, value in self.recipe.schedule.next_state(state, known, due).items():
            self.schedule_state[name].assign(self._mean_of_replicas(value))

    def _outer_gradients(
        self,
        train: tuple[Any, ...],
        held_out: Any,
        passes: Passes,
        parts: dict[str, list[keras.Variable]],
        due: Tensor,
    ) -> tuple[list[Tensor], Tensor | bool]:
        """The gradients of the held-out loss for the logits, and whether they are finite; zeros where it is not due."""
        if held_out is None:
            raise ValueError(
                f"The architecture of the recipe {self.recipe.name!r} must learn from held-out examples. "
                "Received: a batch without them. Use fit with held_out=0.2, or another share, or data."
            )
        weights, logits = parts[roles.WEIGHT], parts[roles.ARCHITECTURE]

        def measured() -> tuple[Any, ...]:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(held_out)
            batch = (self.scaling(x) if self.scaling else x, y, sample_weight)
            if self.recipe.architecture_loss != "held_out":
                loss, *gradients = self._unrolled(train, batch, passes, weights, logits)
                return loss, gradients, None
            found = passes.held_out(*batch)
            return found.loss, dense(found.gradients[len(weights) :], logits), found.finite

        zeros = [ops.zeros(v.shape, v.dtype) for v in logits]
        finite = None if self.loss_scale is None else ops.convert_to_tensor(True)
        nothing = (ops.convert_to_tensor(self.baseline), zeros, finite)
        loss, gradients, finite = tf.cond(due, measured, lambda: nothing)
        self._follow(loss, due)
        self._log_held_out(loss, due)
        return gradients, self._of_all_replicas(finite)

    def _unrolled(
        self,
        train: tuple[Any, ...],
        held_out: tuple[Any, ...],
        passes: Passes,
        weights: list[keras.Variable],
        logits: list[keras.Variable],
    ) -> list[Tensor]:
        """Held-out loss and gradients at the weights one step on, through that step; all but the logits is put back.

        Each pass of the training batch draws the same choices and dropout, that of the step that follows, too.
        """
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "A second-order architecture gradient must be taken on one replica. Received: "
                f"{self.distribute_strategy.num_replicas_in_sync} replicas. Use the first order, darts(order=1)."
            )
        count, rate, put_back = len(weights), self._learning_rate(), self._saved_states()
        before = [ops.copy(variable) for variable in weights]
        inner = dense(passes.training(*train).gradients[:count], weights)
        for variable, value in zip(weights, self.plain_step(weights, inner, rate)):
            variable.assign(value)
        gradients, loss, *_ = passes.held_out(*held_out)
        vector, outer = dense(gradients[:count], weights), dense(gradients[count:], logits)
        for variable, value in zip(weights, before):
            variable.assign(value)

        def training_loss() -> Tensor:
            put_back()
            return self._loss_of(*train)[0]

        def training_slopes() -> list[Tensor]:
            put_back()
            return dense(passes.training(*train).gradients[count:], logits)

        if self.recipe.architecture_loss == "unrolled_exact":
            product = mixed_product(training_loss, weights, vector, logits)
        else:
            product = finite_difference_product(training_slopes, weights, vector)
        put_back()
        return [loss, *(ops.subtract(g, rate * h) for g, h in zip(outer, product))]
