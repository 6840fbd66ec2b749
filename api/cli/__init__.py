"""The command line `fansumer`: one module for each group of commands. Nothing heavy is imported before a command runs."""
