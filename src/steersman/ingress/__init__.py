"""HTTP from outside to Services: Ingresses and Gateway API routes, carried out by HAProxy."""
