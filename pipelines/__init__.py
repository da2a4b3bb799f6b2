"""The jobs and use cases that the command line and the web application share."""
