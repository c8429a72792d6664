"""What a person still has to do: a checklist of recipes."""

import dataclasses
import inspect
from collections.abc import Callable

import keras

from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.recipes import OF_MODELS, RECIPES, Recipe
from keras_dha.spaces import GatedSpace, MobileNetSpace, ModelSpace, MultimodalSpace, SearchSpace
from keras_dha.spaces.modalities import MODALITIES, fusions


@dataclasses.dataclass(frozen=True)
class Question:
    """A question of the checklist.

    Args:
        text: To be answered by yes or no.
        wanted: The answer that leaves a person less to do, or tells more.
    """

    text: str
    wanted: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer of the checklist.

    Args:
        value: `"yes"` or `"no"`.
        evidence: What in the code says so.

    Raises:
        ValueError: If the answer is another one, or there is no evidence.
    """

    value: str
    evidence: str

    def __post_init__(self) -> None:
        if self.value not in ("yes", "no") or not self.evidence.strip():
            raise ValueError(
                "An answer must be yes or no, with evidence. "
                f"Received: value={self.value!r}, evidence={self.evidence!r}. Say what in the code says so."
            )


QUESTIONS = {
    "extractors": Question("Is the network of a modality designed by hand?", "no"),
    "pretraining": Question("Is anything trained beforehand?", "no"),
    "expert_choices": Question("Does an expert decide anything for the kind of data?", "no"),
    "fusion": Question("Is the fusion operator fixed?", "no"),
    "search_numbers": Question("Must numbers of the search be given for each task?", "no"),
    "learning_rate": Question("Is the learning rate set by hand?", "no"),
    "weight_decay": Question("Is the weight decay set by hand?", "no"),
    "augmentation": Question("Is the augmentation chosen by hand?", "no"),
    "stopping": Question("Does a person say when to stop?", "no"),
    "seeds": Question("Is the seed reported?", "yes"),
    "failures": Question("Are failed runs reported?", "yes"),
    "compute": Question("Is what it took reported?", "yes"),
    "new_modality": Question("Does a new kind of input need code?", "no"),
}

_OF_WHOLE_MODELS: dict[str, type[SearchSpace]] = {"tune": ModelSpace, "dnal": GatedSpace}
_OF_SIZES: dict[str, type[SearchSpace]] = {"single_path": MobileNetSpace}


def human_intervention(recipe: Recipe) -> dict[str, Answer]:
    """The checklist of a recipe, with its defaults: what a person still has to do, and what is reported.

    Which questions there are is our proposal. That AutoML should be judged by the human intervention that it needs, by
    a checklist, is the idea of "RandomNet: Towards Fully Automatic Neural Architecture Design for Multimodal Learning",
    https://arxiv.org/abs/2003.01181.

    Args:
        recipe: One of `keras_dha.recipes`, or made of one.

    Returns:
        For each of `QUESTIONS` an answer, and what in the code says so.

    Example:

    >>> human_intervention(keras_dha.recipes.dha())["learning_rate"].value
    'no'
    """
    found = {**_of_networks(recipe.name), "search_numbers": _search_numbers(recipe)}
    found |= {**_of_training(recipe), **_of_reports()}
    return {key: found[key] for key in QUESTIONS}


def _of_networks(recipe: str) -> dict[str, Answer]:
    """What depends on whose network it is."""
    if recipe in _OF_WHOLE_MODELS:
        own = f"`{_OF_WHOLE_MODELS[recipe].__name__}` takes a person's network"
        return {
            "extractors": Answer("yes", own),
            "pretraining": Answer("no", f"{own}, with whatever weights it has"),
            "expert_choices": Answer("yes", own),
            "fusion": Answer("yes", f"{own}, with its fusion"),
            "new_modality": Answer("yes", own),
        }
    trained = Answer("no", "the weights of a space begin at random, and are trained in the same fit")
    if recipe in _OF_SIZES:
        sizes = f"a space of sizes such as `{_OF_SIZES[recipe].__name__}`"
        images = f"{sizes} has one input, of images"
        return {
            "extractors": Answer("yes", f"{sizes} has the blocks of a known network, of which sizes are chosen"),
            "pretraining": trained,
            "expert_choices": Answer("yes", images),
            "fusion": Answer("yes", images),
            "new_modality": Answer("yes", images),
        }
    names, kinds = ", ".join(fusions(2)), ", ".join(MODALITIES)
    return {
        "extractors": Answer("no", f"towers are choices of `{MultimodalSpace.__name__}`"),
        "pretraining": trained,
        "expert_choices": Answer("no", "the rank of an array says its kind, but for a sequence, which must be named"),
        "fusion": Answer("no", f"chosen: {names}; and the place"),
        "new_modality": Answer("no", f"of one of the kinds {kinds}; of another kind, yes"),
    }


def _search_numbers(recipe: Recipe) -> Answer:
    make: Callable[..., Recipe] | None = {**RECIPES, **OF_MODELS}.get(recipe.name)
    arguments = inspect.signature(make).parameters.values() if make is not None else []
    needed = [argument.name for argument in arguments if argument.default is argument.empty]
    if needed:
        return Answer("yes", f"arguments without a default: {', '.join(needed)}")
    names = ", ".join(f"`{argument.name}`" for argument in arguments)
    return Answer("no", f"defaults of {names}" if names else "the recipe has no arguments")


def _of_training(recipe: Recipe) -> dict[str, Answer]:
    found = {}
    for name, kind, attribute in (
        ("learning_rate", LearningRate, "learning_rate"),
        ("weight_decay", WeightDecay, "weight_decay"),
    ):
        learned = [part for part in recipe.hyperparameters if isinstance(part, kind)]
        optimizer = recipe.optimizer()
        if learned:
            low, high = learned[0].bounds
            found[name] = Answer("no", f"learned between {low:g} and {high:g}")
        else:
            found[name] = Answer("yes", f"{_number(optimizer, attribute)} of the recipe's {type(optimizer).__name__}")
    policy = recipe.augmentation
    base = [type(part).__name__ for part in getattr(policy, "base", ())]
    if policy is None:
        found["augmentation"] = Answer("yes", "the recipe has none; what there shall be is given by hand")
    elif base:
        found["augmentation"] = Answer("yes", f"`{type(policy).__name__}` is learned, but {', '.join(base)} is fixed")
    else:
        found["augmentation"] = Answer("no", f"`{type(policy).__name__}` is learned")
    fraction = f"search_fraction={recipe.schedule.search_fraction:g}"
    found["stopping"] = Answer("yes", f"`epochs` or `time_budget` of `fit`; the search ends at {fraction} of it")
    return found


def _number(optimizer: keras.optimizers.Optimizer, attribute: str) -> str:
    value = getattr(optimizer, attribute)
    return "none" if value is None else f"{float(value):.4g}"


def _of_reports() -> dict[str, Answer]:
    """What every search model says of itself."""
    return {
        "seeds": Answer("yes", "`get_config()` of the search model has the seed, also one that was drawn"),
        "failures": Answer("no", "a fit that fails raises; only who started it can count it"),
        "compute": Answer("yes", "`seconds` of the search model, saved with it"),
    }
