"""Certificates of pods (KEP-4317): keys that the kubelet makes, asks signers about, and writes into projected volumes."""
