"""What another package can add to cachelens: one engine, one policy, one rule."""
