"""One published method a file: which parts, which numbers, which paper."""

from keras_dha.recipes.darts import darts
from keras_dha.recipes.darts_prime import darts_prime
from keras_dha.recipes.dha import dha
from keras_dha.recipes.dnal import dnal
from keras_dha.recipes.dots import dots
from keras_dha.recipes.dsnas import dsnas
from keras_dha.recipes.fair_darts import fair_darts
from keras_dha.recipes.gdas import gdas
from keras_dha.recipes.ista_nas import ista_nas
from keras_dha.recipes.pc_darts import pc_darts
from keras_dha.recipes.proxyless import proxyless
from keras_dha.recipes.recipe import Recipe
from keras_dha.recipes.single_path import single_path
from keras_dha.recipes.snas import snas
from keras_dha.recipes.toponas import toponas
from keras_dha.recipes.tune import tune

_ALL = (darts, darts_prime, dha, dots, dsnas, fair_darts, gdas, ista_nas, pc_darts, proxyless, snas, toponas)
RECIPES = {recipe.__name__: recipe for recipe in _ALL}
OF_MODELS = {recipe.__name__: recipe for recipe in (dnal, single_path, tune)}  # not for spaces of operations

__all__ = [
    "OF_MODELS",
    "RECIPES",
    "Recipe",
    "darts",
    "darts_prime",
    "dha",
    "dnal",
    "dots",
    "dsnas",
    "fair_darts",
    "gdas",
    "ista_nas",
    "pc_darts",
    "proxyless",
    "single_path",
    "snas",
    "toponas",
    "tune",
]
