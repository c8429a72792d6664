"""What networks cost: parameters, multiply-adds of one example, and milliseconds."""

from keras_dha.costs.block_cost import BlockCost
from keras_dha.costs.latency_table import LatencyTable
from keras_dha.costs.network_cost import COSTS, model_bytes, multiply_adds, parameters
from keras_dha.costs.network_parts import Part, parts
from keras_dha.costs.runtimes import RUNTIMES, Timing, milliseconds, milliseconds_of
from keras_dha.costs.space_cost import SpaceCost

__all__ = [
    "COSTS",
    "RUNTIMES",
    "BlockCost",
    "LatencyTable",
    "Part",
    "SpaceCost",
    "Timing",
    "milliseconds",
    "milliseconds_of",
    "model_bytes",
    "multiply_adds",
    "parameters",
    "parts",
]
