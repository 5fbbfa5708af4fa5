"""The command line: reads specs, prints results, writes files."""
