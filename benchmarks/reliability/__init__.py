"""Experiments that damage, interrupt or starve the programs on purpose; results in docs/research/reliability.md."""
