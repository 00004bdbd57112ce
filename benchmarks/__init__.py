"""What receiving a delivery costs, next to the other ways to do it."""
