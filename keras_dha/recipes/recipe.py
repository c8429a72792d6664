"""The parts of a search."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_dha.hypergradients import T1T2, Hypergradient, OneStep
from keras_dha.hyperparameters import Hyperparameter
from keras_dha.penalties import Penalty
from keras_dha.relaxations import Relaxation, ScaledSigmoid
from keras_dha.schedules import Schedule

_ARCHITECTURE_LOSSES = ("training", "held_out", "unrolled", "unrolled_exact")
_HELD_OUT_PASSES = ("training", "inference")
_OF_A_POLICY = ("augment", "loss", "entropy", "policy", "set_phase")
_FOLDERS = {
    "relaxation": "relaxations",
    "width_relaxation": "relaxations",
    "augmentation": "augmentation",
    "schedule": "schedules",
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Which parts a search is made of. A part that is None, or empty, is switched off.

    Args:
        name: The method.
        source: Paper and link.
        relaxation: How choices are made soft.
        augmentation: The augmentation policy, a layer with `augment` and `loss`.
        hyperparameters: Learned numbers of the training.
        schedule: When what is updated.
        optimizer: Makes the optimizer of the weights; the others likewise.
        architecture_loss: What the architecture descends: `"training"`, the loss of the weights, in the same backward
            pass; or, in a step before that of the weights, the loss of a held-out batch: `"held_out"` at the weights
            as they are (first order), `"unrolled"` at those one step on, through that step (second order, by finite
            differences), `"unrolled_exact"` the same by a second derivative.
        penalties: What is added to the loss that the architecture descends.
        hypergradients: Estimators; the first one that sees a hyper-parameter gives its gradient.
        held_out_pass: How held-out examples go through the network where hyper-parameters, or a policy, learn from
            them: `"training"`, normalized by statistics of the batch, which moving ones follow, with dropout (but that
            of a learned rate); `"inference"`, by moving statistics, without dropout, and without noise of choices.
        width_relaxation: How choices of channels are made soft.
    """

    name: str
    source: str
    relaxation: Relaxation
    augmentation: keras.layers.Layer | None
    hyperparameters: tuple[Hyperparameter, ...]
    schedule: Schedule
    optimizer: Callable[[], keras.optimizers.Optimizer]
    architecture_optimizer: Callable[[], keras.optimizers.Optimizer]
    augmentation_optimizer: Callable[[], keras.optimizers.Optimizer]
    hyperparameter_optimizer: Callable[[], keras.optimizers.Optimizer]
    architecture_loss: str = "training"
    penalties: tuple[Penalty, ...] = ()
    hypergradients: tuple[Hypergradient, ...] = dataclasses.field(default_factory=lambda: (OneStep(), T1T2()))
    held_out_pass: str = "training"
    width_relaxation: Relaxation = dataclasses.field(default_factory=ScaledSigmoid)

    def __post_init__(self) -> None:
        kinds: dict[str, Any] = {"relaxation": Relaxation, "width_relaxation": Relaxation, "schedule": Schedule}
        kinds["augmentation"] = (keras.layers.Layer, type(None))
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise TypeError(
                    f"The {name} of a recipe must be one of keras_dha's, as an object. "
                    f"Received: {name}={getattr(self, name)!r}. Take one from keras_dha.{_FOLDERS[name]}."
                )
        lacks = [
            name for name in _OF_A_POLICY if self.augmentation is not None and not hasattr(self.augmentation, name)
        ]
        if lacks:
            raise TypeError(
                f"A policy must have {', '.join(_OF_A_POLICY)}. Received: augmentation={self.augmentation!r}, without "
                f"{', '.join(lacks)}. Give a PairPolicy, or another AugmentationPolicy; a BasicAugmentation "
                "belongs in its base=."
            )
        if self.architecture_loss not in _ARCHITECTURE_LOSSES:
            raise ValueError(
                f"architecture_loss must be one of {_ARCHITECTURE_LOSSES}. "
                f"Received: architecture_loss={self.architecture_loss!r}. DARTS takes 'held_out'."
            )
        parts = self.hyperparameters
        if not isinstance(parts, tuple) or not all(isinstance(part, Hyperparameter) for part in parts):
            raise TypeError(
                "The hyperparameters of a recipe must be a tuple of keras_dha.hyperparameters. "
                f"Received: hyperparameters={parts!r}. For example (LearningRate(), WeightDecay())."
            )
        names = [part.name for part in parts]
        if len(set(names)) < len(names):
            raise ValueError(
                f"The hyperparameters of a recipe must have different names. Received: {names}. Name one anew."
            )
        if not isinstance(self.penalties, tuple) or not all(isinstance(part, Penalty) for part in self.penalties):
            raise TypeError(
                "The penalties of a recipe must be a tuple of keras_dha.penalties. "
                f"Received: penalties={self.penalties!r}. For example (ZeroOne(),)."
            )
        self._check_hypergradients()

    def _check_hypergradients(self) -> None:
        given = self.hypergradients
        if not isinstance(given, tuple) or not given or not all(isinstance(part, Hypergradient) for part in given):
            raise TypeError(
                "The hypergradients of a recipe must be a tuple of keras_dha.hypergradients, as objects. "
                f"Received: hypergradients={given!r}. For example (OneStep(), T1T2())."
            )
        if self.held_out_pass not in _HELD_OUT_PASSES:
            raise ValueError(
                f"held_out_pass must be one of {_HELD_OUT_PASSES}. Received: held_out_pass={self.held_out_pass!r}. "
                "Give 'training'."
            )

    @property
    def paths(self) -> str:
        """What of a choice runs in a step of the search: `"all"` options, or `"one"`, as many as it keeps."""
        return "one" if self.relaxation.sparse and self.relaxation.exact else "all"

    def slots(self) -> int:
        """How many numbers the optimizer of the weights remembers for each of them."""
        shape = (2, 3, 5)
        optimizer = self.optimizer()
        optimizer.build([keras.Variable(np.zeros(shape))])
        return sum(tuple(slot.shape) == shape for slot in optimizer.variables)

    def replace(self, **parts: Any) -> "Recipe":
        """The recipe with other parts."""
        return dataclasses.replace(self, **parts)

    def parts(self) -> dict[str, Any]:
        """The parts that make the model, serialized; the optimizers belong to `compile`."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "source": self.source,
            "relaxation": serialize(self.relaxation),
            "augmentation": None if self.augmentation is None else serialize(self.augmentation),
            "hyperparameters": [serialize(part) for part in self.hyperparameters],
            "schedule": serialize(self.schedule),
            "penalties": [serialize(part) for part in self.penalties],
            "architecture_loss": self.architecture_loss,
            "hypergradients": [serialize(part) for part in self.hypergradients],
            "held_out_pass": self.held_out_pass,
            "width_relaxation": serialize(self.width_relaxation),
        }

    def with_parts(self, parts: dict[str, Any]) -> "Recipe":
        """The recipe with the parts that `parts()` returned, as fresh objects."""
        deserialize = keras.saving.deserialize_keras_object
        augmentation = parts["augmentation"]
        return self.replace(
            name=parts["name"],
            source=parts["source"],
            relaxation=deserialize(parts["relaxation"]),
            augmentation=None if augmentation is None else deserialize(augmentation),
            hyperparameters=tuple(deserialize(part) for part in parts["hyperparameters"]),
            schedule=deserialize(parts["schedule"]),
            penalties=tuple(deserialize(part) for part in parts["penalties"]),
            architecture_loss=parts["architecture_loss"],
            hypergradients=tuple(deserialize(part) for part in parts["hypergradients"]),
            held_out_pass=parts["held_out_pass"],
            width_relaxation=deserialize(parts["width_relaxation"]),
        )

    def with_own_parts(self, seed: int) -> "Recipe":
        """The recipe with parts of its own, which have learned what these have, for a search to begin.

        Args:
            seed: Each random part gets a seed of its own made of it, so that none depends on the others.
        """
        own = self.with_parts(_seeded(self.parts(), seed))
        for old, new in zip((self.augmentation, *self.hyperparameters), (own.augmentation, *own.hyperparameters)):
            if old is not None and new is not None and old.built and new.built:
                new.set_weights(old.get_weights())
        if own.augmentation is not None:
            own.augmentation.set_phase(settled=False)
        return own


def _seeded(parts: dict[str, Any], seed: int) -> dict[str, Any]:
    seeded = dict(parts)
    for i, name in enumerate(("relaxation", "augmentation")):
        if parts[name] is not None:
            own = int(np.random.SeedSequence([seed, i]).generate_state(1)[0]) >> 1
            seeded[name] = {**parts[name], "config": {**parts[name]["config"], "seed": own}}
    return seeded
