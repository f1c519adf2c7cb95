"""Who should own an identifier (hints only)."""
