"""The same generator network in several engines; each module needs only the package of its engine."""
