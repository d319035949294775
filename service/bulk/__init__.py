"""Batches at work: archives and manifests in, pictures judged while nobody else waits, webhooks out."""
