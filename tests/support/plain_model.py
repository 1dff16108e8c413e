"""A SavedModel with the signatures of an export and a formula instead of a network: quick to make, load and run."""

import json

import tensorflow as tf

DESCRIPTION = {
    "limits": {"height": 8192, "width": 8192, "pixels": 2**24},
    "pixels_per_cell": 8,
    "chunk_pixels": 512,
}


class PlainModel(tf.Module):
    """Pictures whose values depend on position, seed, texture and `shift`."""

    def __init__(self, shift=0):
        super().__init__()
        self.shift = tf.Variable(shift, dtype=tf.int64, trainable=False)

    def picture(self, seed, texture, top, left, height, width):
        rows = tf.range(tf.cast(height, tf.int64))[:, None, None] + top
        cols = tf.range(tf.cast(width, tf.int64))[None, :, None] + left
        values = rows * 7 + cols * 13 + tf.range(3, dtype=tf.int64) * 50 + seed * 31 + texture * 3 + self.shift
        return tf.cast(values % 251, tf.uint8)


def publish(folder, number=1, shift=0, description=None):
    """Writes a version into a model's folder; its folder."""
    model = PlainModel(shift)
    text = json.dumps(DESCRIPTION | (description or {}))
    long = {name: tf.TensorSpec((), tf.int64, name) for name in ("seed", "texture", "top", "left")}
    sides = {name: tf.TensorSpec((), tf.int32, name) for name in ("height", "width")}
    signatures = {
        "describe": tf.function(lambda: {"description": tf.constant(text)}, input_signature=[]),
        "window": tf.function(lambda **inputs: {"image": model.picture(**inputs)}),
        "window_png": tf.function(lambda **inputs: {"image_bytes": tf.io.encode_png(model.picture(**inputs))}),
        "serving_default": tf.function(lambda latents: {"images": tf.identity(latents[..., :3])}),
    }
    concrete = {name: signatures[name].get_concrete_function(**long | sides) for name in ("window", "window_png")}
    latents = tf.TensorSpec((None, None, None, 10), tf.float32, "latents")
    concrete["serving_default"] = signatures["serving_default"].get_concrete_function(latents)
    concrete["describe"] = signatures["describe"].get_concrete_function()
    model.functions = list(concrete.values())
    tf.saved_model.save(model, str(folder / str(number)), signatures=concrete)
    return folder / str(number)
