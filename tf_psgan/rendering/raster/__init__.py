"""Pictures of any extent, written block by block in constant memory; an interrupted job continues."""
