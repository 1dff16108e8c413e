"""Which metrics are worth a sentence: thresholds and words, on metrics made by hand."""

import pytest

from tf_psgan.evaluation.findings import TrainingState, deviations, findings

SOURCE = {
    "edge_coherence": 0.6,
    "band_skew": -0.5,
    "band_kurtosis": 5.0,
    "repetition": 0.4,
    "clipped": 0.05,
    "mean_colour_error": 0.0,
    "colour_error": 0.0,
}
CELL = {"cell_pattern": 1.2, "chance_pattern": 1.2, "gradient_swing": 1.3, "chance_swing": 1.3}


def found(source=None, **changes):
    """The sentences about pictures that are as the source but for some metrics."""
    cell = CELL if changes.keys() & CELL.keys() else {}
    return findings(SOURCE | cell | changes, SOURCE | cell | (source or {}), cell=16)


def test_pictures_as_the_source_are_without_fault():
    assert findings(SOURCE | CELL, SOURCE | CELL, cell=16, training=TrainingState(20_000, 0.6)) == []


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"cell_pattern": 8.7}, "A grid of 16 px shows (cell pattern 8.7, chance 1.2)."),
        (
            {"gradient_swing": 3.1},
            "Detail is uneven within the cells of 16 px (gradient energy swings by 3.1, chance 1.3).",
        ),
        ({"mean_colour_error": 9.2}, "The mean colour is 9 of 255 off."),
        ({"clipped": 0.29}, "Pictures are too hard (29% of the pixels are clipped, 5% in the source)."),
        ({"edge_coherence": 0.5}, "Edges are less coherent than the source's (0.50, source 0.60)."),
        ({"edge_coherence": 0.7}, "Edges are more coherent than the source's, like strokes (0.70, source 0.60)."),
        ({"band_kurtosis": 1.0}, "Fine detail is closer to noise than the source's (kurtosis 1.0, source 5.0)."),
        ({"band_kurtosis": 9.0}, "Fine detail is sparser than the source's (kurtosis 9.0, source 5.0)."),
        (
            {"band_skew": 0.0},
            "Fine detail has too many bright specks or too few of the others (skewness 0.00, source -0.50).",
        ),
        ({"repetition": 0.2}, "The picture repeats itself (distance to the nearest patch 0.20, source 0.40)."),
        (
            {"repetition": 0.6},
            "Structures recur less exactly than in the source (distance to the nearest patch 0.60, source 0.40).",
        ),
    ],
)
def test_each_fault_has_its_sentence(changes, sentence):
    assert found(**changes) == [sentence]


@pytest.mark.parametrize(
    "changes",
    [
        {"cell_pattern": 2.3},
        {"gradient_swing": 1.9},
        {"mean_colour_error": 2.9},
        {"clipped": 0.09},
        {"edge_coherence": 0.56},
        {"band_kurtosis": 3.6},
        {"band_skew": -0.2},
        {"repetition": 0.31},
    ],
)
def test_what_quilting_and_halves_reach_is_no_fault(changes):
    assert found(**changes) == []


def test_lost_highlights_are_a_fault():
    own, source = SOURCE | {"clipped": 0.01}, SOURCE | {"clipped": 0.21}
    assert findings(own, source) == [
        "Highlights or shadows are lost (1% of the pixels are clipped, 21% in the source)."
    ]


def test_a_lattice_of_whole_cells_in_the_source_is_no_grid():
    lattice = {"cell_pattern": 6.0, "chance_pattern": 1.2, "gradient_swing": 3.9}
    assert found(source=lattice, **lattice) == []
    assert found(source=lattice, **lattice | {"cell_pattern": 13.0})[0].startswith("A grid of 16 px shows")


def test_an_invisible_pattern_is_no_grid_however_low_chance_is():
    assert found(cell_pattern=0.9, chance_pattern=0.01) == []


def test_a_deviation_is_one_at_the_threshold_with_the_sign_of_the_difference():
    own = SOURCE | {"edge_coherence": 0.54, "band_skew": -0.1, "mean_colour_error": 6.0, "repetition": 0.3}
    values = deviations(own, SOURCE)
    assert values["edge_coherence"] == pytest.approx(-1) and values["band_skew"] == pytest.approx(1)
    assert values["mean_colour_error"] == pytest.approx(2) and values["repetition"] == pytest.approx(-1)
    assert values["clipped"] == values["band_kurtosis"] == 0


def test_exact_copies_and_undefined_distances_are_finite():
    assert found(repetition=0.0)[0].startswith("The picture repeats itself")
    assert found(repetition=float("inf"))[0].startswith("Structures recur less")


def test_few_steps_are_said_at_once_and_more_only_where_something_is_wrong():
    few, some = TrainingState(919, None), TrainingState(2000, None)
    assert findings({}, {}, training=few) == ["919 steps: far from done. Photographs need some thousand steps."]
    assert findings(SOURCE, SOURCE, training=some) == []
    first, second = findings(SOURCE | {"mean_colour_error": 9.0}, SOURCE, training=some)
    assert first == "2000 steps: longer training may mend some of the following." and "9 of 255" in second
    assert len(findings(SOURCE | {"mean_colour_error": 9.0}, SOURCE, training=TrainingState(5000, None))) == 1


def test_a_discriminator_that_has_won_is_said():
    sentence = (
        "The discriminator has won (loss 0.04; 1.39 if it could not tell samples from the source): the generator "
        "learns little from it."
    )
    assert findings({}, {}, training=TrainingState(5000, 0.04)) == [sentence]
    assert findings({}, {}, training=TrainingState(5000, 0.15)) == []


def test_without_a_source_only_the_cell_is_measured():
    assert findings(SOURCE | CELL | {"cell_pattern": 4.0, "edge_coherence": 0.1}, {}, cell=8) == [
        "A grid of 8 px shows (cell pattern 4.0, chance 1.2)."
    ]


def test_precision_and_recall_below_most_of_the_halves_are_said():
    halves = {"pool3_precision": 0.9, "pool3_recall": 0.8}
    own = SOURCE | {"pool3_precision": 0.5, "pool3_recall": 0.5}
    values = "(precision of VGG-19 features 0.50, of the source's halves 0.90)"
    assert findings(own, SOURCE, halves=halves) == [f"Much of the pictures is unlike the source {values}."]
    lost = findings(own | {"pool3_precision": 0.9, "pool3_recall": 0.06}, SOURCE, halves=halves)
    assert lost == ["Much of the source is missing (recall of VGG-19 features 0.06, of the source's halves 0.80)."]
    assert findings(own, SOURCE) == []


def test_the_discriminator_s_loss_is_the_median_of_the_last_quarter_up_to_the_step():
    rows = [
        {"step": step, "discriminator_loss": loss} for step, loss in enumerate((1.4, 1.0, 0.5, 0.2, 0.1, 0.06, 9.0))
    ]
    assert TrainingState.from_metrics(rows, 5) == TrainingState(5, pytest.approx(0.08))
    assert TrainingState.from_metrics([], 7) == TrainingState(7, None)
    assert TrainingState.from_metrics([{"step": 1}], 7) == TrainingState(7, None)
