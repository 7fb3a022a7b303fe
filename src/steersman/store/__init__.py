"""The record of all objects: one contract, several media, watch with history."""
