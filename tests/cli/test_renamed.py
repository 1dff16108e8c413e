"""Old names of flags and values warn once and work, on the command line and in flag files; presets work anywhere."""

from pathlib import Path

import pytest

from tests.support.small_run import picture
from tf_psgan import presets
from tf_psgan.cli import flags, program, train
from tf_psgan.config import RENAMED_SETTINGS


@pytest.fixture
def parsed(capsys):
    """Parses a command line of `train`; the config and standard error."""

    def run(*arguments):
        configs = []
        main = lambda values: str(configs.append((flags.read_config(values), values.run)))  # noqa: E731
        code = program.run(["train", *arguments], "usage", train.define, main)
        err = capsys.readouterr().err
        assert code == 0, err
        return *configs[0], err

    return run


def test_an_old_name_sets_the_setting_of_today_and_warns_once(parsed):
    config, _, err = parsed("--power=3", "--power=2", "--batch", "7", "-average=.5")
    assert (config.training.spectral_loss_weight, config.data.batch_size, config.training.ema_decay) == (2, 7, 0.5)
    assert err.splitlines() == [
        "warning: --power is an old name and will be removed; write --spectral_loss_weight.",
        "warning: --batch is an old name and will be removed; write --batch_size.",
        "warning: --average is an old name and will be removed; write --ema_decay.",
    ]


def test_an_old_value_sets_the_value_of_today_and_warns(parsed):
    config, _, err = parsed("--updates=together")
    assert config.training.updates == "simultaneous"
    assert err == "warning: --updates=together is an old name and will be removed; write --updates=simultaneous.\n"


def test_old_names_work_in_flag_files(parsed, tmp_path):
    file = tmp_path / "old.cfg"
    file.write_text("# an old job\n--weight_decay=.25\n--keep=9\n--patience=4\n")
    config, _, err = parsed(f"--flagfile={file}", "--l2=.5")
    assert (config.training.l2, config.training.max_to_keep, config.training.max_nonfinite_steps) == (0.5, 9, 4)
    assert err.count("warning: ") == 3


@pytest.mark.parametrize("old, new", sorted(RENAMED_SETTINGS.items()))
def test_every_old_name_is_known(parsed, old, new):
    value = {"critic_filters": "8,16", "first_waves": "paper", "kernel": "5", "average": "0.5"}.get(old, "2")
    _, _, err = parsed(f"--{old}={value}")
    assert err == f"warning: --{old} is an old name and will be removed; write --{new}.\n"


def test_names_of_today_do_not_warn(parsed):
    assert parsed("--updates=simultaneous", "--batch_size=2", "--dry_run")[2] == ""


def test_a_preset_is_its_flag_file_and_later_flags_win(parsed, monkeypatch):
    monkeypatch.chdir(Path(flags.__file__).parents[2])
    config, run, _ = parsed("--preset=smoke")
    assert (config, run) == parsed(f"--flagfile={presets.path('smoke')}")[:2]
    assert parsed("--preset", "smoke", "--steps=7")[0].training.steps == 7
    assert config.training.steps != 7


def test_a_preset_finds_its_picture_in_the_package_from_any_folder(parsed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (image,) = parsed("--preset=honeycomb")[0].data.images
    assert Path(image) == presets.textures_folder() / "honeycomb.png" and Path(image).is_file()
    (tmp_path / "textures").mkdir()
    picture(tmp_path / "textures" / "honeycomb.png")
    assert parsed("--preset=honeycomb")[0].data.images == ("textures/honeycomb.png",)  # one's own comes first


def test_an_unknown_preset_is_an_error_that_lists_all(capsys):
    assert program.run(["train", "--preset=honycomb"], "usage", train.define, str) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: preset: 'honycomb' is unknown; use one of ") and "honeycomb" in err
