"""TF_CONFIG as TensorFlow's users write it; a batch that cannot be divided is refused."""

import json

import pytest

from tf_psgan.errors import SettingError
from tf_psgan.runtime.cluster import Cluster, from_json, share


def text(jobs, kind="worker", index=0):
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


def test_a_chief_comes_before_the_workers():
    jobs = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    assert from_json(text(jobs, "chief")) == Cluster(("a:1", "b:2", "c:3"), 0)
    assert from_json(text(jobs, "worker", 1)) == Cluster(("a:1", "b:2", "c:3"), 2)


def test_workers_alone_keep_their_numbers():
    assert from_json(text({"worker": ["a:1", "b:2"]}, index=1)) == Cluster(("a:1", "b:2"), 1)


def test_what_a_cluster_writes_it_reads():
    cluster = Cluster(("127.0.0.1:1", "127.0.0.1:2"), 1)
    assert from_json(cluster.to_json()) == cluster


@pytest.mark.parametrize(
    "value, reason",
    [
        ("no JSON", "Expecting value"),
        ("[]", "list indices"),
        ('{"cluster": {"worker": ["a:1"]}}', "'task' is missing"),
        (text({"worker": ["a:1", "b:2"]}, index=2), "there is no worker of index 2"),
        (text({"worker": ["a:1", "b"]}), "an address is not HOST:PORT"),
        (text({"worker": ["a:1", "a:1"]}), "two tasks have one address"),
        (text({"worker": ["a:1"], "ps": ["b:2"]}), "only tasks of the types chief and worker"),
        (text({"worker": ["a:1"]}, "evaluator"), "only tasks of the types chief and worker"),
    ],
)
def test_another_value_is_refused_with_the_reason(value, reason):
    with pytest.raises(SettingError, match="TF_CONFIG: cannot be used") as caught:
        from_json(value)
    assert reason in str(caught.value)


def test_a_batch_is_divided_equally_or_refused():
    assert share(6, 3) == 2
    with pytest.raises(SettingError, match="5 crops cannot be divided equally among 2 workers; choose 6"):
        share(5, 2)
