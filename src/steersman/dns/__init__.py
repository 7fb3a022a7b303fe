"""Names of services and pods inside the cluster."""
