"""Where soft choices act: layers of a supernet."""

from keras_dha.layers.batch_normalization import BatchNormalization, with_fused_normalization
from keras_dha.layers.channel_gate import ChannelGate
from keras_dha.layers.choice_weights import ChoiceWeights
from keras_dha.layers.image_scaling import ImageScaling
from keras_dha.layers.learned_dropout import LearnedDropout, with_dropout_rates, with_learned_dropout
from keras_dha.layers.mixed_layer import MixedLayer
from keras_dha.layers.mixed_node import MixedNode
from keras_dha.layers.mixed_op import MixedOp
from keras_dha.layers.mixed_width import MixedWidth, with_fused_gates
from keras_dha.layers.shared_graphs import SharedGraphs
from keras_dha.layers.sized_depthwise import SizedDepthwise
from keras_dha.layers.sized_layer import SizedLayer, parts_of
from keras_dha.layers.sized_squeeze_excite import SizedSqueezeExcite

__all__ = [
    "BatchNormalization",
    "ChannelGate",
    "ChoiceWeights",
    "ImageScaling",
    "LearnedDropout",
    "MixedLayer",
    "MixedNode",
    "MixedOp",
    "MixedWidth",
    "SharedGraphs",
    "SizedDepthwise",
    "SizedLayer",
    "SizedSqueezeExcite",
    "parts_of",
    "with_dropout_rates",
    "with_fused_gates",
    "with_fused_normalization",
    "with_learned_dropout",
]
