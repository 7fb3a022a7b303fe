"""Admission policies: what their expressions may say, what they mean for a write."""
