"""What networks cost: parameters, and multiply-adds of one example."""

from keras_dha.costs.network_cost import COSTS, multiply_adds, parameters
from keras_dha.costs.space_cost import SpaceCost

__all__ = ["COSTS", "SpaceCost", "multiply_adds", "parameters"]
