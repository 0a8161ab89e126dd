"""What scores look through, one a file."""
