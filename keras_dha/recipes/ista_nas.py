"""ISTA-NAS: a compressed code of which a sparse architecture is recovered (arXiv 2010.06176)."""

import keras

from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import SparseCode


def ista_nas(*, stages: int = 1) -> Recipe:
    """ISTA-NAS: Efficient and Consistent Neural Architecture Search by Sparse Coding.

    Each choice is a code of seven measurements of a sparse vector. Once an epoch the vector is recovered (L1), and the
    options of its largest entries are the only ones that run, with weights that the code gives them. A code whose
    vector stands still is frozen.

    Args:
        stages: 1: code and weights descend the training loss in one pass. 2: the code descends the held-out loss first.

    Where we differ: a code starts at weights of about 1, there at about 0.001; columns of the matrix have unit norm;
    the architecture settles inside the same fit in both forms. In the paper's space two options of a node share a code,
    and are compared. Where a choice keeps one, as an edge of NAS-Bench-201 does, nothing would be compared: there it is
    drawn, and the code gets the score-function gradient beside its own. The paper's space has no operation whose output
    is 0, from which no gradient leads away: in a space that has one, it is never kept.

    Raises:
        ValueError: If `stages` is neither 1 nor 2.

    Reference: Yang et al., https://arxiv.org/abs/2010.06176, and its released code.
    """
    if stages not in (1, 2):
        raise ValueError(f"stages must be 1 or 2. Received: stages={stages!r}. 1 is the form without held-out data.")
    rate, code_rate = ((0.025, 3e-4), (0.1, 6e-4))[stages - 1]
    return darts().replace(
        name="ista_nas",
        source="arXiv 2010.06176",
        relaxation=SparseCode(num_measurements=7, l1=1e-5, tolerance=1e-3, exploration=0.25, explored="lone"),
        optimizer=lambda: keras.optimizers.SGD(rate, momentum=0.9, weight_decay=3e-4, global_clipnorm=5.0),
        architecture_optimizer=lambda: keras.optimizers.Adam(code_rate, beta_1=0.5, weight_decay=1e-3),
        architecture_loss=("training", "held_out")[stages - 1],
    )
