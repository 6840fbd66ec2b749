"""What a node knows of finality: votes and certificates, what they justify and make final, and when something is wrong."""
