"""Which channels of a model go together, and how closed ones are taken out for good."""

from keras_dha.channels.calls import all_layers, flattened, functional, is_model, new_inputs
from keras_dha.channels.channel_graph import ChannelGraph, Width
from keras_dha.channels.gate import ChannelMask, Gate
from keras_dha.channels.placement import gate_places, with_gates
from keras_dha.channels.removal import remove_closed
from keras_dha.channels.rule import Term

__all__ = [
    "ChannelGraph",
    "ChannelMask",
    "Gate",
    "Term",
    "Width",
    "all_layers",
    "flattened",
    "functional",
    "gate_places",
    "is_model",
    "new_inputs",
    "remove_closed",
    "with_gates",
]
