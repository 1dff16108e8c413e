"""How close pictures are to their sources: metrics, evaluators and results."""
