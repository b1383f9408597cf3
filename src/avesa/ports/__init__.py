"""What the application needs from the world, named by role."""
