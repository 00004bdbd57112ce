"""What the core hands back to Python: JSON that its parser does not read, and types of the user's."""
