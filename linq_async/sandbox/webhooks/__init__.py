"""Deliver events to the webhook subscriptions of a sandbox."""
