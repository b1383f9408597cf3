"""How raw records become versions, as pure functions over rows."""
