"""The layers: `lint-imports` holds the contract in pyproject.toml; here is what a contract cannot say."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"tensorflow", "keras", "tensorboard", "jax", "torch"}


def roots(nodes):
    """The top-level packages that import statements among the nodes load."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.split(".")[0])
    return found


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def files(folder):
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("package", ["procedural", "cli"])
def test_these_packages_load_no_tensorflow_at_import(package):
    for path in files(f"tf_psgan/{package}"):
        assert roots(tree(path).body).isdisjoint(HEAVY), path


@pytest.mark.parametrize("name", ["layers", "operations", "inference", "generator", "discriminator"])
def test_the_networks_load_without_tensorflow_for_other_backends_of_keras(name):
    assert "tensorflow" not in roots(tree(ROOT / "tf_psgan" / "networks" / f"{name}.py").body)


def test_nothing_below_the_command_line_imports_the_package_itself():
    for path in files("tf_psgan"):
        if "cli" in path.parts or path.name == "__init__.py":
            continue
        for node in ast.walk(tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert "tf_psgan" not in names, path
            if isinstance(node, ast.ImportFrom) and node.module == "tf_psgan":
                modules = {entry.stem for entry in (ROOT / "tf_psgan").iterdir()}
                assert {alias.name for alias in node.names} <= modules, path
