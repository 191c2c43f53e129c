"""One page of one result or run: the pictures, the numbers, their uncertainty, and how to make them again."""
