"""What a split's scores are worth: statistics, robustness, tables and pictures."""
