"""A run on disk: its folder, its checkpoints, and exported models read back."""
