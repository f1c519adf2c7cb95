"""The p2pchat command."""
