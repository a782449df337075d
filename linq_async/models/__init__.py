"""What goes out and what comes back, as attrs classes."""
