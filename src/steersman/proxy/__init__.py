"""Service addresses: services and endpoints in, nftables out."""
