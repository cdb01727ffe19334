"""Kills processes of the running system under load, and checks afterwards that nothing was lost."""
