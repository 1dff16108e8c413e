"""From a specification to files: pictures, pictures of any extent, animations, texture inversion."""
