"""TensorFlow operations with custom gradients that are faster on CPUs."""
