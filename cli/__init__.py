"""The command line: reads arguments, asks the pipelines, prints."""
