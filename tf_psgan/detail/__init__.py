"""The detail stage: photographs' own pixels, arranged after the generator's picture."""
