"""What may be searched."""

from keras_dha.spaces.choice import Choice
from keras_dha.spaces.chooser import Chooser
from keras_dha.spaces.darts import DARTSSpace
from keras_dha.spaces.decisions import Decisions
from keras_dha.spaces.dense_space import DenseSpace
from keras_dha.spaces.gated_proxyless import GatedProxylessSpace
from keras_dha.spaces.gated_space import GatedSpace
from keras_dha.spaces.image_space import ImageSpace
from keras_dha.spaces.mobile_net import MobileNetSpace
from keras_dha.spaces.model_space import ModelSpace
from keras_dha.spaces.multimodal import MultimodalSpace
from keras_dha.spaces.nas_bench_201 import NASBench201Space
from keras_dha.spaces.restricted_space import RestrictedSpace
from keras_dha.spaces.search_space import SearchSpace
from keras_dha.spaces.shuffle_net import ShuffleNetSpace

__all__ = [
    "Choice",
    "Chooser",
    "DARTSSpace",
    "Decisions",
    "DenseSpace",
    "GatedProxylessSpace",
    "GatedSpace",
    "ImageSpace",
    "MobileNetSpace",
    "ModelSpace",
    "MultimodalSpace",
    "NASBench201Space",
    "RestrictedSpace",
    "SearchSpace",
    "ShuffleNetSpace",
]
