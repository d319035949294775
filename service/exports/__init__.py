"""Decisions for others: a training set, and tasks for Label Studio."""
