"""The endpoints, one module for each noun in the path."""
