"""etcd v3 as the medium: what `store.contract` promises, over gRPC, for clusters that must outlive one machine."""
