"""Photos with labels: manifests, other people's folders and annotations, splits, draws."""
