"""The commands of the command line: flags in, calls of the jobs, tables or JSON out."""
