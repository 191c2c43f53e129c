"""Human preference: studies that people answer, their votes, and what the votes say. Loads no torch."""
