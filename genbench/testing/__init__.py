"""The pytest plugin: samples of a test are checked against a baseline that lies next to it. Importing it loads pytest alone."""
