"""The README's examples, run as they stand."""
