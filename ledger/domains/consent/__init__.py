"""What a fan agreed to, and took back."""
