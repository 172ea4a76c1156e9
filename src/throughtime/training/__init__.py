"""The update loop, and what it records."""
