"""Reports for people: plots, benchmarks, and the doctor's view of the machine."""
