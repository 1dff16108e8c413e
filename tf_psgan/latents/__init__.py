"""The latent fields: counter-based noise, plane waves, tori, and which texture stands where."""
