"""From samples to decisions: statistics with their intervals, and the rule that decides a statement and a claim."""
