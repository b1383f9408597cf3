"""The logic behind the deployment guide's scripts: deploying an environment, and proving that it works."""
