"""The real services on a virtual clock, network and disk."""
