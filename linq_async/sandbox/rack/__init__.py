"""Bodies and parameters, read as Rack and Rails read them."""
