"""What several test modules share: a signer, deliveries, servers, doubles, and the stacks that are tested alike."""
