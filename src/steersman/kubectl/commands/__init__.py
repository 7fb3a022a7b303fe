"""The verbs, a file each; `verbs` says which there are."""
