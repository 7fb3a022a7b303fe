"""Devices of ResourceClaims on this node: drivers prepare them, containers get them by their CDI names."""
