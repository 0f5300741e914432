"""The paper's network at full speed one image at a time."""
