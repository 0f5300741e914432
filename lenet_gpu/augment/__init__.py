"""Variation of training images: distortions, and thinner and thicker strokes."""
