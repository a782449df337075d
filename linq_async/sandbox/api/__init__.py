"""The operations of the API, in modules named as the resources of the client."""
