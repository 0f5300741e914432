"""The version of lenet-gpu, in one place."""

__version__ = "1.0.0"
