"""The operations of the API, one class per resource."""
