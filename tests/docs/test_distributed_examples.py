"""The examples for Slurm and Kubernetes: every part once, and then the end."""

import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from absl import flags

from tf_psgan.cli import generate, texts
from tf_psgan.cli.flags import parse

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "distributed"
JOBS = {job["metadata"]["name"]: job for job in yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text())}


def part(arguments):
    """The value of --part, after the whole command line was read by the program's own flags."""
    values = flags.FlagValues()
    generate.define(values)
    assert parse(values, ["psgan generate", *arguments]) == []
    return values.part


def of_slurm(tmp_path, *arguments, **variables):
    """What `slurm.sh` calls."""
    program = tmp_path / "psgan"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
    done = subprocess.run(
        ["bash", EXAMPLES / "slurm.sh", *arguments], env=environment, capture_output=True, text=True, check=True
    )
    name, *rest = done.stdout.splitlines()
    assert name == "generate"
    return rest


def test_the_slurm_array_makes_every_part_and_the_last_job_the_end(tmp_path):
    script = (EXAMPLES / "slurm.sh").read_text()
    assert "--array=0-15 " in script
    parts = {
        texts.part(part(of_slurm(tmp_path, SLURM_ARRAY_TASK_ID=str(i), SLURM_ARRAY_TASK_COUNT="16"))) for i in range(16)
    }
    assert parts == {(i, 16) for i in range(16)}
    assert part(of_slurm(tmp_path, "finish")) == "finish"


@pytest.mark.parametrize("version", ["1.30", "1.33"])
@pytest.mark.parametrize("name", JOBS)
def test_the_jobs_are_valid(name, version):
    kubernetes_validate.validate(JOBS[name], version, strict=True)


def test_the_pods_make_every_part_once():
    job = JOBS["wall-parts"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert job["completionMode"] == "Indexed" and job["parallelism"] <= job["completions"]
    found = {
        texts.part(part([argument.replace("$(JOB_COMPLETION_INDEX)", str(i)) for argument in container["args"]]))
        for i in range(job["completions"])
    }
    assert found == {(i, job["completions"]) for i in range(job["completions"])}


def test_the_last_job_puts_the_same_picture_together():
    (makers,), (finisher,) = (JOBS[name]["spec"]["template"]["spec"]["containers"] for name in JOBS)
    assert part(finisher["args"]) == "finish" and finisher["args"][0] in makers["args"]
    assert finisher["image"] == makers["image"] and finisher["volumeMounts"] == makers["volumeMounts"]
