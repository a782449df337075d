"""The contract of the Partner API v2, and the check that client and sandbox keep to it."""
