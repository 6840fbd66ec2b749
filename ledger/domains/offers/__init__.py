"""Personal offers: promised to one member, cited by one receipt."""
