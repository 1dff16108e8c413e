"""The infinite texture plane: any window, requested in any order, has bit-identical pixels where windows overlap."""
