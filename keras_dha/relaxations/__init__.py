"""How a choice is made soft: one relaxation a file. A new one is added to `RELAXATIONS`, and is then tested."""

from keras_dha.relaxations.annealed_scale import AnnealedScale
from keras_dha.relaxations.clipped import Clipped
from keras_dha.relaxations.decoupled_topology import DecoupledTopology
from keras_dha.relaxations.edge_softmax import EdgeSoftmax
from keras_dha.relaxations.gumbel_softmax import GumbelSoftmax
from keras_dha.relaxations.norm_threshold import NormThreshold
from keras_dha.relaxations.one_hot_sample import OneHotSample
from keras_dha.relaxations.relaxation import Relaxation
from keras_dha.relaxations.scaled_sigmoid import ScaledSigmoid
from keras_dha.relaxations.sigmoid import Sigmoid
from keras_dha.relaxations.softmax import Softmax
from keras_dha.relaxations.sparse_code import SparseCode
from keras_dha.relaxations.topology import Topology

RELAXATIONS: tuple[type[Relaxation], ...] = (
    Clipped,
    DecoupledTopology,
    EdgeSoftmax,
    GumbelSoftmax,
    NormThreshold,
    OneHotSample,
    ScaledSigmoid,
    Sigmoid,
    Softmax,
    SparseCode,
    Topology,
)

__all__ = [
    "AnnealedScale",
    "Clipped",
    "DecoupledTopology",
    "EdgeSoftmax",
    "GumbelSoftmax",
    "NormThreshold",
    "OneHotSample",
    "Relaxation",
    "ScaledSigmoid",
    "Sigmoid",
    "Softmax",
    "SparseCode",
    "Topology",
]
