"""The ring screen."""
