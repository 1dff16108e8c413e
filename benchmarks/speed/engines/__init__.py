"""One generator network run by several engines: each file times one of them and needs only that one's package."""
