"""Many results on one page: who stands beside whom, in which ranks, at which cost; and the check of rows that are handed in."""
