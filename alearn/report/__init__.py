"""What people look at: the console, TensorBoard and HTML pages."""
