"""The ground floor of storage: engine, unit of work, column types and clock, shared by every domain."""
