"""What receiving a delivery costs, beside the other ways to do it."""
