"""Pictures: decoding, manifests, and random crops."""
