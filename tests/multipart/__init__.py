"""What goes over the wire: every kind of upload, on every attempt, read back by parsers that we did not write."""
