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
    `logits` and `probabilities` (softmax of the last axis), or of `outputs`. A batch of several inputs, if the model
    has them by name, is a dict with one tensor a name. Other formats are those of `keras.Model.export`.

    Args:
        model: A model with one input, or a dict of them, built and trained.
        filepath: A folder for a SavedModel, else a file.
        format: `"tf_saved_model"`, or another format of `keras.Model.export`.
        input_dtype: Type of the raw input, such as `"uint8"`; several have the model's types.
        from_logits: Whether the model gives logits.
        **kwargs: Further arguments of `keras.Model.export`.
    """
    named = not isinstance(model, keras.Sequential) and isinstance(model.input, dict)
    if format != "tf_saved_model" or not (named or len(model.inputs) == 1):
        model.export(os.fspath(filepath), format=format, **kwargs)
        return
    import tensorflow as tf

    def serve(inputs: Any) -> dict[str, Any]:
        raw = inputs if named else tf.cast(inputs, model.inputs[0].dtype)
        outputs = model(raw, training=False)
        if not from_logits:
            return {"outputs": outputs}
        return {"logits": outputs, "probabilities": keras.ops.softmax(outputs, axis=-1)}

    if named:
        signature = {name: tf.TensorSpec(x.shape, dtype=x.dtype, name=name) for name, x in model.input.items()}
    else:
        signature = tf.TensorSpec(model.inputs[0].shape, dtype=input_dtype, name="inputs")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=[signature])
    archive.write_out(os.fspath(filepath), verbose=False)
