"""What a finished model gives: samples, reconstructions, and ways between codes."""
