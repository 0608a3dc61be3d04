"""The only room where SQL is written: filter JSON to a tree, and a tree to a statement."""
