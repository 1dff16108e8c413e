"""The benchmark of photographs: one run per picture and seed, measured and shown beside image quilting."""
