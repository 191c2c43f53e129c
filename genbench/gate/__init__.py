"""The gate for CI: whether a set of images is worse than a stored baseline beyond noise. Loads no torch for stored results."""
