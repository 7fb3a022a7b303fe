"""Processors, memory and devices that containers have for themselves, close together: CPU, memory and topology manager."""
