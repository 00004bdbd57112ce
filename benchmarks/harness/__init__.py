"""How calls are timed side by side, and how what came of it is printed."""
