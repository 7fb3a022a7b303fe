"""`kubectl config …`: look at kubeconfig files and change them."""
