"""What stands behind `…/NAME/SUBRESOURCE` other than status: one file per subresource, `table` finds it."""
