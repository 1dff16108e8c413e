"""Pictures of any extent in constant memory, resumable."""
