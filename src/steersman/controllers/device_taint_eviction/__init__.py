"""Pods leave devices that got a NoExecute taint; rules that taint devices say what became of that."""
