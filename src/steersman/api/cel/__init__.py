"""The Common Expression Language in Kubernetes' dialect: one engine for custom resources, policies and match conditions."""
