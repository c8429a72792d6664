"""Networks of a space that together have all that its networks are made of."""

import dataclasses
import itertools
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import keras
import numpy as np

from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Choice, Decisions, SearchSpace

Kept = tuple[str, ...]


def network(space: SearchSpace, decisions: Mapping[str, Any]) -> keras.Model:
    """The plain network of these decisions."""
    return space.without_closed(space.build(FixedChooser(Decisions(decisions).validate(space.choices()))))


def networks_with_all_options(space: SearchSpace, seed: int = 0) -> list[Decisions]:
    """As few networks as have each combination of options of each block: the network `i` has the `i`-th of all blocks.

    Of choices that keep several options, each option is in one of them.
    """
    blocks = combinations_of_blocks(space, seed)
    number = max((len(combinations) for combinations in blocks), default=1)
    return [
        Decisions({name: kept for block in blocks for name, kept in block[i % len(block)].items()})
        for i in range(number)
    ]


def combinations_of_blocks(space: SearchSpace, seed: int = 0) -> list[list[dict[str, Kept]]]:
    """For each block of choices, what is kept of each, in all combinations; choices in no block are blocks of one."""
    rng = np.random.default_rng(seed)
    answers = {choice.name: _answers(choice, rng) for choice in space.choices()}
    blocks = [tuple(block) for block in space.cost_blocks() if block]
    blocks += [(name,) for name in answers if not any(name in block for block in blocks)]
    return [
        [dict(zip(block, kept)) for kept in itertools.product(*(answers[name] for name in block))] for block in blocks
    ]


def _answers(choice: Choice, rng: np.random.Generator) -> list[Kept]:
    """What may be kept of a choice: each option, or random sets until each option was in one."""
    allowed = {option for option, may in zip(choice.options, choice.allowed) if may}
    if choice.keep == 1:
        return [(option,) for option in choice.options if option in allowed]
    answers: list[Kept] = []
    new = set(allowed)
    while new:
        scores = rng.random(len(choice.options)) + np.array([option in new for option in choice.options])
        answers.append(tuple(choice.options[i] for i in choice.top(scores)))
        new -= set(answers[-1])
    if choice.fewest < choice.keep:
        few = dataclasses.replace(choice, keep=choice.fewest)
        answers.append(tuple(choice.options[i] for i in few.top(rng.random(len(choice.options)))))
    return answers


def extreme_decisions(space: SearchSpace, cost: Callable[[keras.Model], float]) -> tuple[Decisions, Decisions]:
    """The networks of least and largest cost, if costs add over blocks.

    Args:
        space: The space.
        cost: Of a network, or of a block alone where the space can tell it apart: `SearchSpace.block_model`.
    """
    blocks = combinations_of_blocks(space)
    base = {name: kept for block in blocks for name, kept in block[0].items()}
    chosen: list[dict[str, Kept]] = [{}, {}]
    known: dict[Hashable, list[float]] = {}
    for block in blocks:
        alike = (space.block_key(tuple(block[0])), tuple(tuple(combination.values()) for combination in block))
        if alike not in known:
            known[alike] = [cost(with_block(space, base, combination)) for combination in block]
        for kept, position in zip(chosen, (np.argmin(known[alike]), np.argmax(known[alike]))):
            kept.update(block[int(position)])
    return Decisions(chosen[0]), Decisions(chosen[1])


def with_block(space: SearchSpace, base: Mapping[str, Any], combination: Mapping[str, Any]) -> keras.Model:
    """A block of these options alone, or a network with it, that has what `base` says elsewhere."""
    decisions = {**base, **combination}
    alone = space.block_model(tuple(combination), FixedChooser(decisions))
    return network(space, decisions) if alone is None else space.without_closed(alone)
