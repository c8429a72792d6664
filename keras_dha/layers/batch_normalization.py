"""Keras's batch normalization, on TensorFlow's fused kernel while training."""

from typing import Any

import keras
from keras import ops

from keras_dha.layers.replaced_layers import with_replaced

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class BatchNormalization(keras.layers.BatchNormalization):
    """The same function, variables and configuration as `keras.layers.BatchNormalization`, but faster to train.

    Keras computes moments and normalization as separate passes over memory; TensorFlow has one kernel for both, and
    one for their gradient. A supernet uses this layer; a derived model holds the stock one with the same variables.
    Without TensorFlow, on other than four axes, or with an option the kernel lacks, the stock computation runs.
    """

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        mask: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Normalizes; statistics of the batch and their moving averages are used as in Keras.

        Args:
            inputs: `(batch, ..., channels)`.
            training: Whether statistics are those of the batch.
            mask: As in Keras.
            weight: A scalar that the outputs are multiplied with; in the kernel, where it costs no pass over memory.
        """
        if not training or not self.trainable or mask is not None or not self._has_kernel(inputs):
            outputs = super().call(inputs, training=training, mask=mask)
            return outputs if weight is None else outputs * ops.cast(weight, outputs.dtype)
        import tensorflow as tf

        channels = inputs.shape[-1]
        scale = ops.convert_to_tensor(self.gamma) if self.scale else ops.ones((channels,))
        offset = ops.convert_to_tensor(self.beta) if self.center else ops.zeros((channels,))
        if weight is not None:
            scale, offset = scale * ops.cast(weight, scale.dtype), offset * ops.cast(weight, offset.dtype)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(inputs, scale, offset, epsilon=self.epsilon)
        count = ops.cast(ops.size(inputs) // channels, "float32")
        variance = variance * (count - 1.0) / ops.maximum(count, 1.0)  # the kernel divides by count - 1, Keras by count
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs

    def _has_kernel(self, inputs: Tensor) -> bool:
        plain = self.axis in (-1, 3) and not self.renorm and not self.synchronized
        return plain and len(inputs.shape) == 4 and keras.backend.backend() == "tensorflow"


def with_fused_normalization(layer: keras.layers.Layer) -> keras.layers.Layer:
    """`layer`, with each stock batch normalization in it, also in nested models, replaced by the fused one."""
    return with_replaced(
        layer,
        lambda inner: type(inner) is keras.layers.BatchNormalization,
        lambda inner: BatchNormalization.from_config(inner.get_config()),
    )
