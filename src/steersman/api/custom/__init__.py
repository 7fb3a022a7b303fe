"""Custom resources, pure: what a CustomResourceDefinition may say, and what it makes of the objects of its kind."""
