"""Multicast: find a first node."""
