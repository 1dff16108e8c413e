"""The network as ONNX computes the same pictures without TensorFlow, at any size."""

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.support import tiny
from tests.support.small_export import exported
from tf_psgan.errors import ExportError
from tf_psgan.exporting import onnx_export, saved_model
from tf_psgan.loading import load_generator
from tf_psgan.plane.folded_generator import fold


@pytest.mark.parametrize("batch, rows, cols", [(1, 5, 5), (2, 9, 6), (3, 20, 33)])
def test_onnxruntime_equals_the_network_at_any_extent(batch, rows, cols):
    folder, path = exported()
    network = load_generator(folder.path, "float32")
    latents = tiny.latents(network, batch, rows, cols).numpy()
    session = onnxruntime.InferenceSession(path / "assets.extra" / onnx_export.FILE)
    (found,) = session.run(["images"], {"latents": latents})
    np.testing.assert_allclose(found, network(latents, training=False).numpy(), atol=onnx_export.BOUND)


def test_weights_can_be_stored_in_half_the_bytes_and_computed_in_float32():
    folded = fold(tiny.generator())
    whole, half = onnx_export.convert(folded), onnx_export.convert(folded, "float16")
    weights = sum(part.nbytes for block in folded.blocks for part in block)
    assert len(whole) - len(half) > 0.4 * weights
    onnx.checker.check_model(onnx.load_from_string(half), full_check=True)
    latents = np.random.default_rng(1).uniform(-1, 1, (1, 12, 9, folded.blocks[0][0].shape[2])).astype(np.float32)
    pictures = [onnxruntime.InferenceSession(file).run(["images"], {"latents": latents})[0] for file in (whole, half)]
    assert pictures[1].dtype == np.float32 and 0 < np.abs(pictures[0] - pictures[1]).max() < onnx_export.HALF_BOUND


def test_the_onnx_axes_are_named():
    model = onnx.load(exported()[1] / "assets.extra" / onnx_export.FILE)
    onnx.checker.check_model(model, full_check=True)
    (latents,), (images,) = model.graph.input, model.graph.output
    shapes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in (latents, images)]
    assert (latents.name, images.name) == ("latents", "images")
    assert shapes[0][:3] == ["batch", "rows", "cols"] and shapes[1] == ["batch", "height", "width", 3]


def test_a_conversion_that_changes_the_pictures_is_not_published(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "BOUND", -1.0)
    with pytest.raises(ExportError, match=r"onnx: the converted network differs by .*; export without ONNX"):
        saved_model.write(fold(tiny.generator()), tmp_path / "m", {}, {}, extras=[onnx_export.write])
    assert list((tmp_path / "m").iterdir()) == []
