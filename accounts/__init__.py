"""People who log in: users, sessions, audit trail."""
