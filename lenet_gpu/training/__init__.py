"""From a network, a recipe and a data set to a trained model and its files."""
