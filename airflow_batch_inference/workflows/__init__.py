"""What an operator or a command does from its beginning to its end."""
