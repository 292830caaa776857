"""A recipe's schema: walking it, checking a recipe against it, and putting it in words. Private to the core."""

from toolkit.moved import names_of_old

__getattr__ = names_of_old(__name__, "toolkit.recipe.json_schema")
