"""Sealed envelopes at rest for an account."""
