"""Textures made by formulas: the pictures that come with the project."""
