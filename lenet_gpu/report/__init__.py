"""What people look at: plots, benchmarks, and what the machine has."""
