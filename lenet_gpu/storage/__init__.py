"""Files that appear whole or not at all, and memory that processes share."""
