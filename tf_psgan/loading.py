"""Opens what was trained or exported: runs and SavedModels, as planes and generators."""
