"""From a trained network to an answer."""
