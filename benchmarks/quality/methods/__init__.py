"""The methods that `benchmarks/quality/fidelity.py` compares, what it measures, and how it keeps what is done."""
