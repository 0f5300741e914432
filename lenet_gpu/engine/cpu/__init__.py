"""LeNet-5 in NumPy at full speed: prepared lists of calls, a worker process for each core."""
