"""What is seen and touched: the app's widgets."""
