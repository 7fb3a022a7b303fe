"""Pytest plugin (entry point `steersman`): fixtures that give a test a cluster in this process.

Every pytest run on a machine with Steersman installed loads this file, so it imports nothing of Steersman at import time.
"""
