"""Registers and sets on the owner and its successors, by agreement."""
