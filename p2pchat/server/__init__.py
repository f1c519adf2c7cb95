"""A node: composes the services of the ring."""
