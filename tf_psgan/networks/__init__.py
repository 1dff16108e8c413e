"""The spatial generator and the patch discriminator, as Keras models."""
