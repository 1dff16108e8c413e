"""Rank correlation and the tables of the agreement between metrics with and without weights."""

import numpy as np
import pytest

from benchmarks.quality import agreement

SOURCE = {"edge_coherence": 0.6, "band_skew": 0.0, "band_kurtosis": 5.0, "repetition": 0.4, "clipped": 0.0}
SOURCE |= {"mean_colour_error": 0.0}


def test_rank_correlation_worked_by_hand():
    assert agreement.spearman([1, 2, 3, 4], [10, 20, 25, 99]) == pytest.approx(1)
    assert agreement.spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    # Ranks 1, 2, 3, 4 and 2, 1, 4, 3: 1 - 6 * 4 / (4 * 15).
    assert agreement.spearman([1, 2, 3, 4], [5, 4, 9, 8]) == pytest.approx(0.6)


def test_equal_values_share_their_mean_rank_and_constants_have_no_correlation():
    # Ranks 1.5, 1.5, 3 and 1, 2, 3: covariance 1.5, variances 1.5 and 2.
    assert agreement.spearman([7, 7, 8], [1, 2, 3]) == pytest.approx(1.5 / np.sqrt(3))
    assert np.isnan(agreement.spearman([1, 1, 1], [1, 2, 3]))


def row(coherence, f_score):
    return SOURCE | {"edge_coherence": coherence, "pool3_precision": f_score, "pool3_recall": f_score}


def test_tables_correlate_deviations_with_the_f_score_and_count_findings():
    rows = {"a": {"source": SOURCE, "halves": row(0.6, 0.9), "noise": row(0.4, 0.1), "step2": row(0.5, 0.5)}}
    found = agreement.agreement(rows["a"])
    assert found["edge_coherence"] == found["all"] == pytest.approx(1) and np.isnan(found["clipped"])
    header, _, line, mean = agreement.agreement_table(rows).splitlines()
    assert header.startswith("| photograph | pictures | mean colour error |")
    assert line.startswith("| a | 3 |") and "| 1.00 |" in mean
    kinds = agreement.findings_table(rows).splitlines()[2:]
    assert [line.split(" | ")[:2] for line in kinds] == [["| halves", "1"], ["| noise", "1"], ["| made", "1"]]
    assert [line.count("100%") for line in kinds] == [0, 1, 1]
