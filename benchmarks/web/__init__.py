"""The web page in a browser: how long it takes, and whether it lasts."""
