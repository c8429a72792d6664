"""What networks cost: parameters, multiply-adds of one example, and milliseconds."""

from keras_dha.costs.block_cost import BlockCost
from keras_dha.costs.kept_tensors import KeptTensors
from keras_dha.costs.latency_table import LatencyTable
from keras_dha.costs.network_cost import COSTS, model_bytes, multiply_adds, parameters
from keras_dha.costs.network_parts import Part, parts
from keras_dha.costs.resident_memory import peak_resident_bytes, resident_bytes
from keras_dha.costs.runtimes import RUNTIMES, Timing, milliseconds, milliseconds_of
from keras_dha.costs.search_memory import search_memory
from keras_dha.costs.space_cost import SpaceCost
from keras_dha.costs.training_memory import MemoryEstimate, TrainingMemory

__all__ = [
    "COSTS",
    "RUNTIMES",
    "BlockCost",
    "KeptTensors",
    "LatencyTable",
    "MemoryEstimate",
    "Part",
    "SpaceCost",
    "Timing",
    "TrainingMemory",
    "milliseconds",
    "milliseconds_of",
    "model_bytes",
    "multiply_adds",
    "parameters",
    "parts",
    "peak_resident_bytes",
    "resident_bytes",
    "search_memory",
]
