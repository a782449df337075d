"""The messages that are sent and the results that are returned, as attrs classes."""
