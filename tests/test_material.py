"""Materials: the channels of maps, the files beside a picture, and models whose maps fit their colours."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support import small_run, tiny
from tests.support.commands import call, fail
from tf_psgan import config as configs
from tf_psgan import material
from tf_psgan.cli import program, train, train_each
from tf_psgan.data import images, manifest
from tf_psgan.data.image_cache import ImageCache
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.evaluation import lattice
from tf_psgan.exporting import export, weights
from tf_psgan.loading import Plane, from_pretrained
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.procedural import catalogue
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.training import advice, picture_analysis, training_loop
from tf_psgan.training.gan_step import GanStep
from tf_psgan.training.spectral import spectral_loss
from tf_psgan.training.spectral.spectral_loss import SpectralLoss
from tf_psgan.training.terms import Batch

MAPS = ("roughness", "normal")
"""Roughness is channel 3, the normal map channels 4 to 6."""


def material_picture(folder, maps=MAPS, pixels=96, name="stone"):
    """A picture with maps beside it, each of other values; the path of the picture."""
    folder.mkdir(exist_ok=True)
    path = small_run.picture(folder / f"{name}.png", pixels)
    for i, kind in enumerate(maps):
        values = np.random.default_rng(i).integers(0, 256, (pixels, pixels, material.MAPS[kind]), np.uint8)
        Image.fromarray(values if values.shape[-1] == 3 else values[..., 0]).save(material.path(path, kind))
    return path


def test_channels_follow_the_order_of_the_maps():
    assert material.channels(()) == 3 and material.channels(MAPS) == 7
    assert material.widths(MAPS) == [3, 1, 3]
    found = {name: material.picture_channels(MAPS, name) for name in ("colour", *MAPS)}
    assert found == {"colour": [0, 1, 2], "roughness": [3, 3, 3], "normal": [4, 5, 6]}


def test_a_file_is_a_map_if_the_picture_is_beside_it(tmp_path):
    path = material_picture(tmp_path)
    assert material.path(path, "normal") == tmp_path / "stone_normal.png"
    assert material.is_map(tmp_path / "stone_normal.png")
    assert not material.is_map(path) and not material.is_map(tmp_path / "moss_normal.png")


def test_the_maps_of_a_folder_are_channels_and_not_pictures(tmp_path):
    path = material_picture(tmp_path)
    (entry,) = manifest.scan([str(tmp_path)], maps=MAPS).usable
    assert entry.path == path
    read = manifest.read(entry, MAPS)
    np.testing.assert_array_equal(read[..., :3], manifest.read(entry))
    np.testing.assert_array_equal(read[..., 3], np.asarray(Image.open(tmp_path / "stone_roughness.png")))
    np.testing.assert_array_equal(read[..., 4:], np.asarray(Image.open(tmp_path / "stone_normal.png")))
    assert len(manifest.scan([str(tmp_path)]).usable) == 3


def test_a_missing_a_small_and_a_damaged_map_are_named(tmp_path):
    material_picture(tmp_path / "a", MAPS[:1])
    material_picture(tmp_path / "b")
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "b" / "stone_roughness.png")
    material_picture(tmp_path / "c")
    (tmp_path / "c" / "stone_normal.png").write_bytes(b"no picture")
    reasons = [manifest.scan([str(tmp_path / name)], maps=MAPS).skipped[0].reason for name in "abc"]
    assert "its normal map stone_normal.png cannot be read (No such file or directory)" in reasons[0]
    assert reasons[0].endswith("or leave normal out of maps.")
    assert "stone_roughness.png: 8x9 pixels, but its picture has 96x96" in reasons[1]
    assert "stone_normal.png" in reasons[2]


def test_a_changed_map_is_another_picture(tmp_path):
    material_picture(tmp_path)
    before = manifest.scan([str(tmp_path)], maps=MAPS)
    material_picture(tmp_path, MAPS[::-1])  # other values for the same names
    assert "its maps are others than before" in manifest.difference(before, manifest.scan([str(tmp_path)], maps=MAPS))
    with pytest.raises(PictureError, match=r"its maps changed since the scan \(roughness, normal\)"):
        manifest.read(before.usable[0], MAPS)
    assert manifest.from_json(manifest.to_json(before)) == before


def test_the_cache_packs_all_channels_and_counts_their_memory(tmp_path):
    material_picture(tmp_path)
    scanned = manifest.scan([str(tmp_path)], maps=MAPS)
    cache = ImageCache(scanned, 16, 1, 7 * 96 * 96, 10, maps=MAPS)
    assert cache.fits and not ImageCache(scanned, 16, 1, 7 * 96 * 96 - 1, 10, maps=MAPS).fits
    pixels = cache.at(0).pixels.numpy().reshape(96, 96, 7)
    cache.close()
    np.testing.assert_array_equal(pixels, manifest.read(scanned.usable[0], MAPS))


def test_the_pictures_of_a_model_are_the_channels_of_its_generator():
    network = tiny.generator(seed=1, waves=0, maps=MAPS)
    latents = tiny.latents(network, rows=9, cols=8)
    assert network(latents).shape[-1] == network.compute_output_shape(latents.shape)[-1] == 7
    whole = np.asarray(network(latents))
    for name in ("colour", *MAPS):
        one = fold(network).picture(name)
        drawn = tiny.generator(seed=1, waves=0)
        for block, (kernel, bias) in zip(drawn.blocks, one.blocks, strict=True):
            assert kernel.shape[-1] == bias.shape[0] == 4 * block.filters
        assert one.config.maps == () and one.fingerprint() != fold(network).fingerprint()
        expected = whole[..., material.picture_channels(MAPS, name)]
        np.testing.assert_allclose(_images(one, latents), expected, atol=1e-5)


def _images(folded, latents):
    from tf_psgan.networks import inference

    blocks = [(tf.constant(kernel), tf.constant(bias)) for kernel, bias in folded.blocks]
    return inference.generate(blocks, latents, "float32").numpy()


def test_a_plane_shows_colours_and_a_map_it_is_asked_for():
    folded = fold(tiny.generator(seed=1, maps=MAPS))
    colours, rough = (TexturePlane(part).window(40, 50, top=7) for part in (folded, folded.picture("roughness")))
    np.testing.assert_array_equal(colours, TexturePlane(folded.picture("colour")).window(40, 50, top=7))
    assert np.abs(colours.astype(int) - rough).mean() > 5
    np.testing.assert_array_equal(rough, np.repeat(rough[..., :1], 3, axis=-1))


@pytest.mark.parametrize("maps", [(), MAPS])
def test_a_map_that_a_model_has_not_is_refused(maps):
    wanted = "choose colour or roughness or normal" if maps else "leave it out"
    with pytest.raises(SettingError, match=f"the model has no map 'height'; {wanted}"):
        fold(tiny.generator(maps=maps)).picture("height")


def test_the_spectral_loss_of_a_material_is_the_sum_over_its_pictures():
    pictures = np.random.default_rng(0).normal(0, 0.3, (2, 4, 32, 32, 7)).astype(np.float32)
    real, fake = (tf.constant(part) for part in pictures)
    loss = SpectralLoss(1.0, 32, maps=MAPS)
    batch = Batch(
        real=real, fake=fake, real_logits=None, fake_logits=None, class_ids=None, score=None,
        step=tf.constant(10**6, tf.int64), key=tf.constant(3, tf.int64), over_workers=lambda values: values,
        compiled=False,
    )  # fmt: skip
    shift = spectral_loss.noise.below(spectral_loss.noise.fold(batch.key, 2, [0, 1]), max(loss.block_sizes))
    parts = [material.picture_channels(MAPS, name) for name in ("colour", *MAPS)]
    by_hand = sum(
        spectral_loss.distance(
            *(spectral_loss.measure(tf.gather(side, part, axis=-1), shift) for side in (real, fake)), 32
        )
        for part in parts
    )
    assert loss(batch).numpy() == pytest.approx(by_hand.numpy(), rel=1e-5)


def test_a_step_trains_the_kernels_of_all_channels(tmp_path):
    material_picture(tmp_path)
    config = small_run.changed(maps=MAPS, waves=0)
    cache = ImageCache(manifest.scan([str(tmp_path)], maps=MAPS), 32, 1, 1 << 20, 10, maps=MAPS)
    step = GanStep(config, "float32")
    assert step.discriminator.blocks[0].kernel.shape[2] == 7
    before = step.generator.blocks[-1].kernel.numpy()
    real, _ = step.draw(cache.at(0), step.step)
    assert real.shape == (2, 32, 32, 7)
    step(cache.at(0))
    cache.close()
    moved = np.abs(step.generator.blocks[-1].kernel.numpy() - before).max(axis=(0, 1, 2))
    assert (moved > 0).all()


def test_a_material_is_trained_drawn_and_exported(tmp_path):
    path, run = material_picture(tmp_path), tmp_path / "run"
    flags = (f"--run={run}", f"--images={path}", "--maps=roughness,normal", "--filters=8,4", "--detail=none")
    small = ("--discriminator_filters=4,6", "--crop_cells=4", "--batch_size=2", "--steps=3", "--minutes=0")
    quick = ("--dtype=float32", "--threads=1", "--samples=2", "--sample_pixels=64", "--evaluate_minutes=0")
    call("train.py", *flags, *small, *quick)
    out = tmp_path / "rough.png"
    call("generate.py", f"--run={run}", "--map=roughness", f"--out={out}", "--height=40", "--width=30")
    expected = Plane.from_run(run, map="roughness").window(40, 30)
    np.testing.assert_array_equal(images.decode(out), expected)
    with Image.open(out) as picture:
        assert picture.text["model"].endswith(", roughness map")
    exported = export.export(run, tmp_path / "models" / "m", map="normal", dtype="float32")
    normal = Plane.from_run(run, "float32", map="normal").window(40, 30)
    np.testing.assert_array_equal(Plane.from_saved_model(exported).window(40, 30), normal)
    assert "this is the normal map" in (exported / "assets.extra" / "MODEL_CARD.md").read_text()
    model = weights.export(run, tmp_path / "stone")
    apart = np.abs(from_pretrained(model, "float32", map="normal").window(40, 30).astype(int) - normal)
    assert apart.max() <= 1
    assert "maps that fit its colours: roughness, normal." in (model / "card.md").read_text()
    said = fail("generate.py", f"--run={run}", "--map=height", f"--out={tmp_path / 'x.png'}")
    assert "the model has no map 'height'; choose colour or roughness or normal" in said
    shutil.rmtree(tmp_path / "models")


def test_settings_that_do_not_go_with_maps_are_refused():
    with pytest.raises(SettingError, match="patches copies colours only, and the model has maps"):
        configs.check_detail(dataclasses.replace(configs.ModelConfig(), maps=MAPS))
    with pytest.raises(SettingError, match="normal is given twice"):
        configs.check_maps(dataclasses.replace(configs.ModelConfig(), maps=("normal", "normal")))
    with pytest.raises(SettingError, match="'gloss' is not one of"):
        configs.check(dataclasses.replace(configs.ModelConfig(), maps=("gloss",)))


def test_the_made_material_fits_itself():
    found = catalogue.make_material("setts", seed=3, height=120, width=150)
    assert {name: picture.shape for name, picture in found.items()} == {
        "colour": (120, 150, 3),
        "normal": (120, 150, 3),
        **dict.fromkeys(("height", "roughness", "occlusion"), (120, 150)),
    }
    normal = found["normal"].astype(float) / 127.5 - 1
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=0.02)
    down, right = np.gradient(found["height"].astype(float) / 255 * 8)
    for slope, component in ((-right, normal[..., 0]), (down, normal[..., 1])):  # OpenGL: up the picture is positive
        assert np.corrcoef(slope.ravel(), (component / normal[..., 2]).ravel())[0, 1] > 0.95


def test_the_made_material_is_written_with_its_maps(tmp_path):
    call("-m", "tf_psgan.procedural", "--names=setts", "--height=40", "--width=48", f"--out={tmp_path}")
    names = {"setts", *(f"setts_{name}" for name in ("normal", "height", "roughness", "occlusion"))}
    assert {path.stem for path in tmp_path.iterdir()} == names
    (entry,) = manifest.scan([str(tmp_path)], maps=("normal", "height")).usable
    assert manifest.read(entry, ("normal", "height")).shape == (40, 48, 7)


def test_the_repetition_of_a_material_is_that_of_the_first_picture_that_repeats(tmp_path):
    """The setts' speckled colours show no period to the measurement, their height does; a black map is no obstacle."""
    found = catalogue.make_material("setts")
    black = np.zeros_like(found["height"])
    whole = np.dstack([found["colour"], black, found["height"]])
    maps = ("metalness", "height")
    assert picture_analysis.measure_material(found["colour"], ()).period == 0
    measured = picture_analysis.measure_material(whole, maps)
    assert measured.period == pytest.approx(40, abs=1) and measured.chroma < 60  # (32, 24) pixels
    chosen = lattice.clearest(material.pictures(whole, maps))
    np.testing.assert_array_equal(chosen[..., 0], found["height"])
    Image.fromarray(found["colour"]).save(tmp_path / "a.png")
    for name, picture in (("metalness", black), ("height", found["height"])):
        Image.fromarray(picture).save(tmp_path / f"a_{name}.png")
    config = small_run.changed(maps=maps, images=(str(tmp_path / "a.png"),), filters=(32, 16, 8))
    assert advice.advice_for(config, ()).config.model.waves == 2
    waves = training_loop._initial_wave_numbers(config, manifest.scan(config.data.images, maps=maps))
    lengths = 2 * np.pi * 16 / np.linalg.norm(waves, axis=-1)
    np.testing.assert_allclose(lengths, 32 * 48 / 40, atol=0.1)  # a cell of the lattice over the length of its vectors


def test_a_map_may_have_another_suffix_and_is_no_picture_even_if_it_is_named(tmp_path):
    path = material_picture(tmp_path, ("normal",))
    image = Image.open(tmp_path / "stone_normal.png")
    image.save(tmp_path / "stone_normal.webp", lossless=True)
    (tmp_path / "stone_normal.png").unlink()
    (entry,) = manifest.scan([path, str(tmp_path / "stone_normal.webp")], maps=("normal",)).usable
    np.testing.assert_array_equal(manifest.read(entry, ("normal",))[..., 3:], np.asarray(image))


def test_transparency_of_a_map_is_not_painted_over(tmp_path):
    """Some tools keep the height in the transparency of the normal map."""
    path = material_picture(tmp_path, ())
    values = np.random.default_rng(0).integers(0, 256, (96, 96, 4), np.uint8)
    Image.fromarray(values).save(tmp_path / "stone_normal.png")
    Image.fromarray(values[..., [0, 3]], "LA").save(tmp_path / "stone_height.png")
    read = manifest.read(manifest.scan([path], maps=("normal", "height")).usable[0], ("normal", "height"))
    np.testing.assert_array_equal(read[..., 3:], values[..., [0, 1, 2, 0]])


def test_a_packed_map_and_a_pipe_are_refused(tmp_path):
    packed, pipe = material_picture(tmp_path / "a", ()), material_picture(tmp_path / "b", ())
    Image.fromarray(np.full((96, 96, 3), (10, 20, 90), np.uint8)).save(tmp_path / "a" / "stone_roughness.png")
    os.mkfifo(tmp_path / "b" / "stone_roughness.png")
    reasons = [manifest.scan([path], maps=("roughness",)).skipped[0].reason for path in (packed, pipe)]
    assert "its channels differ, and a roughness map has one" in reasons[0]
    assert "stone_roughness.png: not a regular file" in reasons[1]


def test_maps_are_inputs_that_no_output_may_replace(tmp_path):
    path, folder = material_picture(tmp_path), RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.write_config(small_run.changed(maps=MAPS))
    folder.write("manifest.json", manifest.to_json(manifest.scan([path], maps=MAPS)))
    assert folder.inputs() == [Path(path), *(material.path(path, name) for name in MAPS)]
    assert folder.pictures() == [Path(path)]


def test_each_trains_the_pictures_and_not_their_maps(tmp_path, monkeypatch):
    material_picture(tmp_path / "in")
    items = []
    monkeypatch.setattr(train_each._Trainings, "run", lambda self, slots: items.extend(self.items) or "")
    flags = ("--each", f"--images={tmp_path / 'in'}", f"--run={tmp_path / 'out'}", "--maps=roughness,normal")
    assert program.run(["train", *flags], train.USAGE, train.define, train.run) == 0
    assert [item.name for item in items] == ["stone"]
