"""The app's widgets: all that is seen and touched."""
