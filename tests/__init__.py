"""The tests of linq_async."""
