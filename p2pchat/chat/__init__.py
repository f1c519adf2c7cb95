"""Messages between two people: outbox, history, channels."""
