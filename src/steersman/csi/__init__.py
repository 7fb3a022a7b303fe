"""The Container Storage Interface: talking to drivers over their sockets, and doing for those that ask for it what upstream's
sidecars do (`roles`): make, attach, grow, change and delete volumes."""
