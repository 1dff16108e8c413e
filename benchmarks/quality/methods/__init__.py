"""The methods that `benchmarks/quality/fidelity.py` compares, its metrics, and the storage of its results."""
