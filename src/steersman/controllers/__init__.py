"""The control loops: each a pure decision and a declaration, run by one loop."""
