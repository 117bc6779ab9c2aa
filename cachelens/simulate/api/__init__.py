"""What provider APIs have in common: dated rules, cache entries with lifetimes, prefixes cached automatically."""
