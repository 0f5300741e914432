"""Stand-ins for CuPy: broken and working fakes for the probe, a strict one for the layers and engines."""
