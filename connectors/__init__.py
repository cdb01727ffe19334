"""Ways to citizens: one folder a channel, `base` is what they have in common."""
