"""What networks cost: parameters, and multiply-adds of one example."""

from keras_dha.costs.block_cost import BlockCost
from keras_dha.costs.network_cost import COSTS, model_bytes, multiply_adds, parameters
from keras_dha.costs.space_cost import SpaceCost

__all__ = ["COSTS", "BlockCost", "SpaceCost", "model_bytes", "multiply_adds", "parameters"]
