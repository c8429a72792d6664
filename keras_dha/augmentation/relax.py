"""The RELAX estimator: gradients of an expectation over discrete draws, with a learned control variate.

For draws `b = H(z)` of a relaxed variable `z` with parameters `theta`, a second relaxed variable `z~` of the same
distribution given `b`, and any function `c`,

    (f(b) - c(z~)) grad log P(b) + grad c(z) - grad c(z~)

has the mean `grad E[f(b)]`, whatever `c` is; the closer `c(z~)` is to `f(b)`, the less it varies.

Reference: "Backpropagation through the Void: Optimizing control variates for black-box gradient estimation", arXiv
1711.00123; the conditional variables as in its appendix, and as in "DADA", arXiv 2003.03780.
"""

from keras import ops

from keras_dha.augmentation.transform import Tensor


def relaxed_choice(logits: Tensor, gumbel: Tensor) -> Tensor:
    """`z = log softmax(logits) + gumbel`, whose largest entry is the draw. Shapes `(..., K)`."""
    return ops.log_softmax(logits, axis=-1) + gumbel


def choice_given(logits: Tensor, drawn: Tensor, uniform: Tensor) -> Tensor:
    """`z` given that its largest entry is `drawn`, from other noise.

    Args:
        logits: Shape `(..., K)`.
        drawn: One-hot, shape `(..., K)`.
        uniform: Noise between 0 and 1, shape `(..., K)`.
    """
    exponential = -ops.log(uniform)
    least = ops.sum(drawn * exponential, axis=-1, keepdims=True)
    others = exponential * ops.exp(-ops.log_softmax(logits, axis=-1)) + least
    return -ops.log(ops.where(drawn > 0.5, exponential, others))


def relaxed_event(logit: Tensor, logistic: Tensor) -> Tensor:
    """`z = logit + logistic`, positive where the event happens."""
    return logit + logistic


def event_given(logit: Tensor, happens: Tensor, uniform: Tensor) -> Tensor:
    """`z` given whether the event happens, from other noise.

    Args:
        logit: Of the event's probability.
        happens: 1 or 0, of the same shape.
        uniform: Noise between 0 and 1, of the same shape.
    """
    probability = ops.sigmoid(logit)
    noise = happens * (uniform * probability + 1.0 - probability) + (1.0 - happens) * uniform * (1.0 - probability)
    noise = ops.clip(noise, 1e-6, 1.0 - 1e-6)
    return logit + ops.log(noise) - ops.log1p(-noise)


def relax_surrogate(values: Tensor, log_probability: Tensor, control: Tensor, control_given: Tensor) -> Tensor:
    """What has the estimator as its gradient; its own value means nothing.

    Args:
        values: `f(b)`, constants.
        log_probability: `log P(b)`.
        control: `c(z)`, of constant parameters.
        control_given: `c(z~)`, of constant parameters.
    """
    advantage = ops.stop_gradient(values - control_given)
    return advantage * log_probability + control - control_given
