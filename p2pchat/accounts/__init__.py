"""Names, credentials and sessions on the ring."""
