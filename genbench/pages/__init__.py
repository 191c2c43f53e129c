"""What every page that genbench writes shares: its frame, its style, its plots and its pictures. Knows no result."""
