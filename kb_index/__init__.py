"""The knowledge base: procedures and articles, their importers, indexes, search and answer rendering."""
