"""Real processes on loopback: nodes, agents and the p2pchat command, as people start them."""
