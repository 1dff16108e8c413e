"""Procedural textures: the pictures that come with the project, drawn by formulas. NumPy and Pillow only."""
