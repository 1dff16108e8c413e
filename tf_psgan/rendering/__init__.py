"""From a request to files: pictures, rasters of any extent, animations, texture inversion."""
