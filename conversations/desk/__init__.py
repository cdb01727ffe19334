"""The operators' side of the conversations: who has one, what is said in it, whose it is, how it is found."""
