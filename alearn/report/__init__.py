"""What people look at: console, TensorBoard, HTML pages."""
