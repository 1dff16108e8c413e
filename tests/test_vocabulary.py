"""The project uses the field's words: a grep for words of its own that the glossary replaced."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KINDS = {".py", ".pyi", ".md", ".cfg", ".yaml", ".yml", ".sh", ".toml", ".cc"}
# Files that name old words on purpose: the tables and tests of old names, and the history.
ALLOWED = {
    "CHANGELOG.md",
    "tf_psgan/config.py",
    "tests/test_vocabulary.py",
    "tests/test_config.py",
    "tests/cli/test_renamed.py",
    "tests/cli/test_flags.py",
    "benchmarks/speed/engines/with_torch.py",  # The setting until=settled is no recalibration. PyTorch's own words
    "benchmarks/speed/steps/torch_step.py",
}
# PyTorch's own names stay: torch.jit.freeze, the option "freezing", the optimizer's "weight_decay", "jit frozen".
WORDS = {
    "recalibrate": r"\bsettl(e|es|ing)\b|(?<![=('\"`])\bsettled\b",
    "image cache, packed buffer": r"\bshel(f|ves)\b",
    "result": r"\bverdicts?\b",
    "evaluator, evaluate": r"\bjudg(e|es|ed|ing|ement)s?\b",
    "conditional, class": r"\btold apart\b|\b(is|are|was|were) told (which|its|the) (picture|source)s?\b",
    "zero wave numbers": r"\bst(and|ands|anding|ood) still\b",
    "discriminator": r"\bcritics?\b|critic_",
    "status error": r"\brefusals?\b",
    "admission queue": r"\bLine\(",
    "encoders": r"\breels?\b",
    "progress": r"\btally\b",
    "folded generator": r"\bfroze\b|(?<!jit\.)\bfreez(e|es|ing)\b(?!\": True)|(?<!jit )\bfrozen\b(?! ?=)",
    "session model, run": r"\bServed\b|\basked the way\b",
    "settings' new names": r"\b(critic_filters|wave_rate|first_waves|turn_steps|r1_every)\b|(?<!\")\bweight_decay\b",
    "spectral loss": r"\bpower loss\b|\bpower_loss\b",
    "procedural": r"\bmade_(textures|many)\b",
}


def files():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.splitlines() if name not in ALLOWED and "tests/golden/" not in name]
    return [path for path in paths if path.suffix in KINDS and path.is_file()]


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_holds(word):
    pattern = re.compile(WORDS[word])
    found = []
    for path in files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, f"write {word!r} instead:\n" + "\n".join(found)
