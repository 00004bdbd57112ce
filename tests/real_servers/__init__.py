"""The adapters behind real servers, over real sockets: `make test-servers`."""
