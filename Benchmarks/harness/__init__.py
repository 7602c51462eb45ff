"""What run.py is made of: the servers, the scenarios, and how results become a table and a plot."""
