"""Recipes against what they do, as the table of docs/methods.md: `python -m keras_dha.recipes.table` prints it."""

from keras_dha.recipes import RECIPES, Recipe

_COLUMNS = ("recipe", "source", "relaxation", "branches run", "architecture descends", "penalties", "learned beside it")
_LOSSES = {
    "training": "the training loss",
    "held_out": "the held-out loss",
    "unrolled": "the held-out loss through a step",
    "unrolled_exact": "the held-out loss through a step, exactly",
}


def row(recipe: Recipe) -> tuple[str, ...]:
    """One line of the table, a text a column."""
    relaxation = recipe.relaxation
    runs = ("those of weight other than 0", "the kept ones")[relaxation.exact] if relaxation.sparse else "all"
    learned = [type(part).__name__ for part in (recipe.augmentation, *recipe.hyperparameters) if part is not None]
    return (
        f"`{recipe.name}`",
        recipe.source,
        f"`{type(relaxation).__name__}`",
        runs,
        _LOSSES[recipe.architecture_loss],
        ", ".join(f"`{type(penalty).__name__}`" for penalty in recipe.penalties) or "none",
        ", ".join(f"`{name}`" for name in learned) or "nothing",
    )


def as_markdown() -> str:
    """All recipes with their defaults, as a Markdown table."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *(row(make()) for make in RECIPES.values())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(as_markdown())
