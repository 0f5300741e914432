"""The touch app: draw digits, see LeNet-5 read them, look inside it and teach it."""
