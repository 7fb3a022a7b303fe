"""Gateway API (GatewayClass, Gateway, HTTPRoute, ReferenceGrant) on the same rules as Ingresses."""
