"""What objects cost a namespace, and whether its quotas allow it: pure, for admission and for the controller that recounts.

`lists` are amounts by resource name; `evaluators` say what objects of a kind use, `pods` and `claims` those that use more
than their number; `charge` decides a write. Source: "Resource Quotas" and upstream's pkg/quota/v1.
"""
