"""The Kubernetes API as pure data and functions: kinds, schema, defaults, validation, patches, printing."""
