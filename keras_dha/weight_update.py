"""The step of the weights, and the hyper-parameters that are in it."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters import GradientClip, Hyperparameter, LearningRate, Momentum, WeightDecay, WeightStep
from keras_dha.optimizers import FlatUpdate, MomentumSGD, ScaledSchedule, SelectiveUpdate, Settings, rule_of, slots_of

Tensor = Any


class WeightUpdate:
    """An optimizer's step with learned numbers in it, to be made, and as a function to be differentiated.

    Args:
        optimizer: An optimizer that has not been built yet.
        weights: All weights that it will ever train.
        parts: The hyper-parameters.
        base_rate: The learning rate where none is learned or scheduled.

    Raises:
        ValueError: If two hyper-parameters of a kind act on the same weight, one acts on none, or a momentum is learned
            of an optimizer that has none to learn.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        weights: Sequence[keras.Variable],
        parts: Sequence[Hyperparameter],
        base_rate: keras.Variable,
    ) -> None:
        self.optimizer = optimizer
        self._base_rate = base_rate
        for kind in {type(part) for part in parts}:
            _share_out([part for part in parts if type(part) is kind], weights)
        self._parts = [part for part in parts if part.enters == "update"]
        rates = self._of(LearningRate)
        self._rate = next((part for part in rates if not part.where), None)
        self._own_rates = [part for part in rates if part.where]
        self._clips: list[Any] = self._of(GradientClip)
        self._decays: list[Any] = self._of(WeightDecay)
        self._momentum = next(iter(self._of(Momentum)), None)
        self._take_over()
        flat = FlatUpdate.suits(optimizer, weights)
        self.update = FlatUpdate(optimizer, weights, self._kind) if flat else SelectiveUpdate(optimizer, weights)
        self.rule = rule_of(optimizer)

    def _of(self, kind: type[Hyperparameter]) -> list[Any]:
        return [part for part in self._parts if isinstance(part, kind)]

    def _kind(self, weight: keras.Variable) -> tuple[bool, ...]:
        return tuple(part.acts_on(weight) for part in self._parts)

    def _take_over(self) -> None:
        if self._rate is not None and has_schedule(self.optimizer):
            schedule = self.optimizer._learning_rate
            self.optimizer.learning_rate = ScaledSchedule(schedule, self._rate.value)
        if self._momentum is None:
            return
        if type(self.optimizer) is not MomentumSGD:
            raise ValueError(
                "A momentum must be learned with keras_dha.optimizers.MomentumSGD. "
                f"Received: optimizer={type(self.optimizer).__name__}. Compile with MomentumSGD(0.05, momentum=0.9)."
            )
        self.optimizer.learned_momentum = self._momentum.value

    # Rates.

    def learning_rate(self, factor: Tensor) -> Tensor:
        """The rate of this step, of all weights that have none of their own.

        Args:
            factor: What a learned or constant rate is multiplied with; a Keras schedule says all by itself.
        """
        if has_schedule(self.optimizer):
            return ops.convert_to_tensor(self.optimizer.learning_rate)
        return self._general() * factor

    def _general(self) -> Tensor:
        if self._rate is not None:
            return self._rate.value()
        if has_schedule(self.optimizer):
            return ops.ones(())
        return ops.convert_to_tensor(self._base_rate)

    def _stretch(self) -> list[Tensor | None]:
        """For each unit its own rate, in units of the general one; None where it has none."""
        ratios = [(part, part.value() / self._general()) for part in self._own_rates]
        return [
            next((ratio for part, ratio in ratios if part.acts_on(weight)), None)
            for weight in self.update.representatives
        ]

    def _shrinkage(self, rate: Tensor) -> list[Tensor | None]:
        shares = [(part, part.shrinkage(rate)) for part in self._decays if not part.coupled]
        return [
            next((share for part, share in shares if part.acts_on(weight)), None)
            for weight in self.update.representatives
        ]

    def _decays_of_optimizer(self, rate: Tensor) -> list[Tensor | None]:
        """The shares that the optimizer itself takes off each unit, where no decay is learned."""
        decays = map(self.optimizer._use_weight_decay, self.update.units)
        return [rate * self.optimizer.weight_decay if acts else None for acts in decays]

    # The step.

    def apply(
        self,
        gradients: Sequence[Tensor],
        variables: Sequence[keras.Variable],
        active: Sequence[Tensor | bool],
        rate: Tensor,
    ) -> list[Tensor]:
        """One step. Returns what the units were before.

        Args:
            gradients: One a variable.
            variables: Weights.
            active: For each of them True, or a boolean scalar: whether it moves.
            rate: From `learning_rate`.
        """
        if not has_schedule(self.optimizer):
            self.optimizer.learning_rate.assign(rate)
        for part in (*self._clips, *self._decays):
            gradients = _changed(part, gradients, variables)
        return self.update.apply(gradients, variables, active, self._shrinkage(rate), self._stretch())

    def restrain_decays(self, rate: Tensor) -> None:
        """Lowers learned decays that would take too much of the weights in a step.

        Args:
            rate: Of the step.
        """
        for part in self._decays:
            part.restrain(rate)

    def restrain(self, step: WeightStep, variables: Sequence[keras.Variable]) -> Tensor:
        """Lowers learned rates with which the weights went too far, and takes as much of the step back.

        Args:
            step: What has been made, without held-out gradients.
            variables: The weights.

        Returns:
            The rate of the step as it stands now.
        """
        rates = [part for part in self._of(LearningRate) if part.max_move is not None]
        if not rates:
            return step.learning_rate
        ratios = [part.restraint(step) for part in rates]
        reached = []
        for weight, old, new in zip(step.weights, step.before, step.after, strict=True):
            own = [ops.cast(ratio, new.dtype) for part, ratio in zip(rates, ratios) if part.acts_on(weight)]
            reached.append(old + own[0] * (new - old) if own else new)
        rate = step.learning_rate
        for part, ratio in zip(rates, ratios, strict=True):
            part.multiply(ratio)
            if part is self._rate:
                rate = rate * ops.cast(ratio, rate.dtype)
        self.update.write(reached, variables)
        return rate

    def slots(self) -> list[tuple[Tensor, ...]]:
        """What the optimizer remembers of each unit; empty where its step is not known as a function."""
        return [] if self.rule is None else slots_of(self.optimizer, self.rule)

    def moved(
        self,
        units: Sequence[Tensor],
        slots: Sequence[tuple[Tensor, ...]],
        gradients: Sequence[Tensor],
        factor: Tensor,
        step: Tensor,
    ) -> tuple[list[Tensor], list[tuple[Tensor, ...]]]:
        """Where a step brings units and slots: a function that can be differentiated.

        Args:
            units: Before it.
            slots: Before it.
            gradients: Of the units, as they came.
            factor: As `learning_rate` has it.
            step: Which step of the optimizer it is, a float; the first is 1.
        """
        if self.rule is None:
            raise ValueError(
                f"The step must be known as a function. Received: {type(self.optimizer).__name__}. Take SGD."
            )
        rate = self.learning_rate(factor)
        if has_schedule(self.optimizer):
            rate = ops.cast(self.optimizer._learning_rate(ops.cast(step, "int64") - 1), "float32")
        momentum = getattr(self.optimizer, "momentum", 0.0) if self._momentum is None else self._momentum.value()
        settings = Settings(rate, momentum, step)
        for part in (*self._clips, *self._decays):
            gradients = _changed(part, gradients, self.update.representatives, units)
        gradients = self.optimizer._clip_gradients(list(gradients))
        new_units, new_slots = [], []
        shrinkage = self._decays_of_optimizer(rate) if self.optimizer.weight_decay else self._shrinkage(rate)
        for unit, own, gradient, share, stretch in zip(
            units, slots, gradients, shrinkage, self._stretch(), strict=True
        ):
            start = unit if share is None else unit - share * unit
            end, memory = self.rule.apply(self.optimizer, start, own, gradient, settings)
            new_units.append(end if stretch is None else unit + stretch * (end - unit))
            new_slots.append(memory)
        return new_units, new_slots

    def made(self, slopes: Sequence[Tensor | None], weights: Sequence[Any], before: Any, rate: Tensor) -> WeightStep:
        """The step that was made.

        Args:
            slopes: Held-out gradients, one a weight.
            weights: The weights.
            before: What `apply` returned.
            rate: As then.
        """
        after = [ops.convert_to_tensor(unit) for unit in self.update.units]
        joined = self.update.joined(slopes, weights)
        return WeightStep(self.update.representatives, joined, before, after, rate, self._stretch())


def has_schedule(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the learning rate follows a schedule of the optimizer's own."""
    return not isinstance(optimizer.learning_rate, keras.Variable)


def _changed(
    part: Any, gradients: Sequence[Tensor], variables: Sequence[keras.Variable], values: Sequence[Tensor] | None = None
) -> Sequence[Tensor]:
    """Gradients as a hyper-parameter leaves them for the optimizer."""
    if isinstance(part, GradientClip):
        return part.clipped(gradients, variables)
    return part.added(variables, gradients, values) if part.coupled else gradients


def _share_out(parts: Sequence[Hyperparameter], weights: Sequence[keras.Variable]) -> None:
    """Leaves to each of the hyper-parameters of a kind its weights; a general one has the rest."""
    general, named = [p for p in parts if not p.where], [p for p in parts if p.where]
    kind = type(parts[0]).__name__
    if len(general) > 1 and kind != "LossWeight":
        raise ValueError(
            f"At most one {kind} may be that of all weights. Received: {[part.name for part in general]}. "
            "Say where= the others act."
        )
    taken: dict[int, str] = {}
    for part in named:
        mine = [weight for weight in weights if part.acts_on(weight)]
        if not mine and kind != "DropoutRate":
            raise ValueError(
                f"where= of {part.name} must be found in the path of a weight. Received: where={part.where}, and "
                f"weights such as {[weight.path for weight in weights][:6]}. Give a part of one of these."
            )
        for weight in mine:
            if other := taken.get(id(weight)):
                raise ValueError(
                    f"One {kind} must act on a weight. Received: {other} and {part.name}, both on "
                    f"{weight.path!r}. Make their where= exclude each other."
                )
            taken[id(weight)] = part.name
    for part in general:
        part.leave([weight for weight in weights if id(weight) in taken])
