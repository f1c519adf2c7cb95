"""Stored keys and records that every later version must read."""
