"""An agent: composes one person's services."""
