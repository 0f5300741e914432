"""How training images are varied: distortions, and thinner and thicker strokes."""
