"""The database's schema, step by step; `api.startup` runs what is missing at every start."""
