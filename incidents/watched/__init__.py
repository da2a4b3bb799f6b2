"""What was watched, and what could have been judged: the meaning of a count of incidents, of zero too."""
