"""Request bodies on the wire: every kind of upload, on every attempt, read by independent parsers."""
