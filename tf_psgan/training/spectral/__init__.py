"""Second-order statistics of crops as a training loss."""
