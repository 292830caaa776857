"""A recipe's schema: walking it, checking a recipe against it, and putting it in words. Private to the core."""
