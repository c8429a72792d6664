"""One published method a file: which parts, which numbers, which paper."""

from keras_dha.recipes.dha import dha
from keras_dha.recipes.recipe import Recipe

RECIPES = {"dha": dha}

__all__ = ["RECIPES", "Recipe", "dha"]
