"""Engines: how a network is run. Each computes what layers.py says, faster or slower; start with base.py."""
