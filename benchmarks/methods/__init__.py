"""The methods that `benchmarks/fidelity.py` compares, what it measures, and how it keeps what is done."""
