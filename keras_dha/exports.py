"""From a derived model to a file that serves it."""

import os
from typing import Any

import keras


def export_model(
    model: keras.Model,
    filepath: str | os.PathLike[str],
    *,
    format: str = "tf_saved_model",
    input_dtype: str = "float32",
    from_logits: bool = True,
    **kwargs: Any,
) -> None:
    """Writes a plain model as an artifact that takes raw inputs.

    A SavedModel has the signatures `serve` and `serving_default`: from a batch in the user's own type to a dict of
    `logits` and `probabilities` (softmax of the last axis), or of `outputs`. Other formats are those of
    `keras.Model.export`.

    Args:
        model: A model with one input, built and trained.
        filepath: A folder for a SavedModel, else a file.
        format: `"tf_saved_model"`, or another format of `keras.Model.export`.
        input_dtype: Type of the raw inputs, such as `"uint8"`.
        from_logits: Whether the model gives logits.
        **kwargs: Further arguments of `keras.Model.export`.
    """
    if format != "tf_saved_model" or len(model.inputs) != 1:
        model.export(os.fspath(filepath), format=format, **kwargs)
        return
    import tensorflow as tf

    def serve(inputs: Any) -> dict[str, Any]:
        outputs = model(tf.cast(inputs, model.inputs[0].dtype), training=False)
        if not from_logits:
            return {"outputs": outputs}
        return {"logits": outputs, "probabilities": keras.ops.softmax(outputs, axis=-1)}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve", serve, input_signature=[tf.TensorSpec(model.inputs[0].shape, dtype=input_dtype, name="inputs")]
    )
    archive.write_out(os.fspath(filepath), verbose=False)
