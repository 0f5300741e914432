"""From a picture or pen strokes to the network's 28x28 pixels."""
