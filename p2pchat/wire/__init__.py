"""AMP and TLS: everything that no single part owns."""
