"""What tinyforge does, one module a verb; the command line and ``tinyforge.<verb>`` only call these."""
