"""What the functions of a collection do: plan it, and report on it."""
