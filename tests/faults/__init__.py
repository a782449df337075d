"""What the client does when the wire, the server or the caller misbehaves."""
