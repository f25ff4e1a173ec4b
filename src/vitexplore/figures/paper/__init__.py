"""A figure for each figure and table of the paper, under its number: from tables to a small folder of data, and from
that folder alone to PDF and PNG."""
