"""A chat without a central server: nodes form a Chord ring, agents talk directly."""

__version__ = "1.0"
