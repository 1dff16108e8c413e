"""The command lines train, generate, export and evaluate: flags, and words for people."""
