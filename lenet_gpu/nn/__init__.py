"""What is computed: layers, losses, networks, optimisers."""
